import { hash } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import type { Clock } from '../batching/clock.ts'
import { Job, type Priority } from '../batching/job.ts'
import type { Outputs, Precision } from '../engines/engine.ts'
import { ServeError, toServeError } from '../errors.ts'
import type { Manifest } from '../repository/manifest.ts'
import type { Model, Prediction, PredictOptions } from './model.ts'
import type { ModelStatistics } from './model-statistics.ts'

type Outcome = Prediction | ServeError

export interface CacheOptions {
  /** Most bytes of answers and keys. */
  maxBytes: number
  /** Inputs that may wait for another caller's computation; one more is computed on its own. */
  maxWaiting: number
  clock: Clock
  /** Hits are inputs whose answer is known or being computed for another caller; misses must be computed. */
  onLookup?: (hits: number, misses: number) => void
}

/** Approximate bytes of an entry besides its numbers: the key, and the overhead of V8 and the cache. */
const ENTRY_BYTES = 512

/** The cost of an answer from the cache. */
const FREE = { queueMs: 0, computeMs: 0, batchSize: 0, cached: true }

/** The answers used last, by input; shared by all models. */
export class PredictionCache {
  readonly options: CacheOptions
  readonly answers: LRUCache<string, Outputs>
  /** Computations under way. They never reject. */
  readonly inFlight = new Map<string, Promise<Outcome>>()
  /** Inputs that wait for one of `inFlight`. */
  waiting = 0
  #models = 0

  constructor(options: CacheOptions) {
    this.options = options
    this.answers = new LRUCache({
      maxSize: options.maxBytes,
      sizeCalculation: ({ logits, embedding }) => logits.byteLength + embedding.byteLength + ENTRY_BYTES,
    })
  }

  /** A prefix for a model's keys, so that no other model, nor the same one loaded again, finds its answers. */
  newPrefix(): string {
    return `${this.#models++}:`
  }
}

/**
 * A model whose answers are remembered. Equal inputs at the same time share one computation. Failures are neither shared
 * nor remembered: when a computation fails or its caller leaves, those who waited for it ask on their own.
 */
export class CachedModel implements Model {
  readonly manifest: Manifest
  readonly precision: Precision
  readonly precisionReason: string | undefined
  readonly maxBatchSize: number
  readonly statistics: ModelStatistics
  readonly #inner: Model
  readonly #cache: PredictionCache
  readonly #prefix: string

  constructor(inner: Model, cache: PredictionCache) {
    this.manifest = inner.manifest
    this.precision = inner.precision
    this.precisionReason = inner.precisionReason
    this.maxBatchSize = inner.maxBatchSize
    this.statistics = inner.statistics
    this.#inner = inner
    this.#cache = cache
    this.#prefix = cache.newPrefix()
  }

  refusal(inputs: number, deadline: number, priority?: Priority): ServeError | undefined {
    return this.#inner.refusal(inputs, deadline, priority)
  }

  async predict(inputs: Float32Array[], options: PredictOptions = {}): Promise<Outcome[]> {
    const keys = inputs.map((input) => this.#keyOf(input))
    const byKey = new Map(keys.map((key, i) => [key, inputs[i] as Float32Array]))
    const found = new Map<string, Outcome>()
    const shared: string[] = []
    const own: string[] = []
    for (const key of byKey.keys()) {
      const answer = this.#cache.answers.get(key)
      if (answer) found.set(key, { ...answer, ...FREE })
      else if (this.#mayShare(key, shared.length, options)) shared.push(key)
      else own.push(key)
    }
    this.#cache.options.onLookup?.(inputs.length - own.length, own.length)

    const compute = async (wanted: string[]): Promise<void> => {
      if (wanted.length === 0) return
      const rows = wanted.map((key) => byKey.get(key) as Float32Array)
      const computing = this.#inner.predict(rows, options)
      for (const [i, key] of wanted.entries()) this.#share(key, i, computing)
      for (const [i, outcome] of (await computing).entries()) found.set(wanted[i] as string, outcome)
    }
    const [theirs] = await Promise.all([this.#waitFor(shared, options), compute(own)])
    const left: string[] = []
    for (const [i, outcome] of theirs.entries()) {
      if (outcome instanceof ServeError) left.push(shared[i] as string)
      else found.set(shared[i] as string, { ...outcome, cached: true })
    }
    await compute(left)
    return keys.map((key) => found.get(key) as Outcome)
  }

  #mayShare(key: string, more: number, { signal }: PredictOptions): boolean {
    const { inFlight, waiting, options } = this.#cache
    return inFlight.has(key) && !signal?.aborted && waiting + more < options.maxWaiting
  }

  /** Lets others wait for an outcome of `computing`, and remembers it. */
  #share(key: string, index: number, computing: Promise<Outcome[]>): void {
    const { answers, inFlight } = this.#cache
    if (inFlight.has(key)) return
    const end = (outcome: Outcome): Outcome => {
      inFlight.delete(key)
      if (outcome instanceof ServeError) return outcome
      // Copies: an output of a batch keeps the whole batch in memory.
      answers.set(key, { logits: outcome.logits.slice(), embedding: outcome.embedding.slice() })
      return outcome
    }
    inFlight.set(
      key,
      computing.then(
        (outcomes) => end(outcomes[index] as Outcome),
        (error) => end(toServeError(error, 'inference_failed', 'the model failed')),
      ),
    )
  }

  /** The outcomes of others' computations; a ServeError also where this caller's deadline or departure comes first. */
  async #waitFor(keys: string[], options: PredictOptions): Promise<Outcome[]> {
    if (keys.length === 0) return []
    const { clock } = this.#cache.options
    const job = new Job<undefined, string, Prediction>({ key: undefined, inputs: keys, clock }, options)
    for (const [i, key] of keys.entries()) void this.#cache.inFlight.get(key)?.then((outcome) => job.settle(i, outcome))
    this.#cache.waiting += keys.length
    const outcomes = await job.settled
    this.#cache.waiting -= keys.length
    return outcomes
  }

  /** A cryptographic hash: who can make inputs collide would get other callers' answers. */
  #keyOf(input: Float32Array): string {
    const bytes = new Uint8Array(input.buffer, input.byteOffset, input.byteLength)
    return this.#prefix + hash('sha256', bytes, 'base64')
  }
}

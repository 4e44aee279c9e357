import { hash } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import type { Clock } from '../batching/clock.ts'
import type { Outputs, Precision } from '../engines/engine.ts'
import { ServeError } from '../errors.ts'
import type { Manifest } from '../repository/manifest.ts'
import type { Model, Prediction, PredictOptions } from './model.ts'

export interface CacheOptions {
  /** Of answers and keys, at the most. */
  maxBytes: number
  /** Inputs that may wait for an answer that somebody else asked for; one more is computed on its own. */
  maxWaiting: number
  clock: Clock
  /** Inputs that were found, or are being computed for somebody else, and inputs that have to be computed. */
  onLookup?: (hits: number, misses: number) => void
}

/** What the cache costs for an entry beside its numbers: the key, and about what V8 and the cache need to hold it. */
const ENTRY_BYTES = 512

/** What an answer from the cache cost. */
const FREE = { queueMs: 0, computeMs: 0, batchSize: 0, cached: true }

/** Answers by input, those used last; shared by all models. */
export class PredictionCache {
  readonly options: CacheOptions
  readonly answers: LRUCache<string, Outputs>
  /** Answers that are being computed. Never rejects; undefined where there is none to share. */
  readonly inFlight = new Map<string, Promise<Prediction | undefined>>()
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

  /** A prefix for keys: no model, nor the same one loaded again, finds another's answers. */
  newPrefix(): string {
    return `${this.#models++}:`
  }
}

/**
 * The same model, its answers remembered. Equal inputs at the same time share one computation. A caller that leaves, or
 * fails, takes nobody's answer with it: whoever waited for its computation then asks on their own. Failures are neither
 * shared nor remembered.
 */
export class CachedModel implements Model {
  readonly manifest: Manifest
  readonly precision: Precision
  readonly precisionReason: string | undefined
  readonly #inner: Model
  readonly #cache: PredictionCache
  readonly #prefix: string

  constructor(inner: Model, cache: PredictionCache) {
    this.manifest = inner.manifest
    this.precision = inner.precision
    this.precisionReason = inner.precisionReason
    this.#inner = inner
    this.#cache = cache
    this.#prefix = cache.newPrefix()
  }

  async predict(inputs: Float32Array[], options: PredictOptions = {}): Promise<(Prediction | ServeError)[]> {
    const keys = inputs.map((input) => this.#keyOf(input))
    const byKey = new Map(keys.map((key, i) => [key, inputs[i] as Float32Array]))
    const found = new Map<string, Prediction | ServeError>()
    const shared: string[] = []
    const own: string[] = []
    for (const key of byKey.keys()) {
      const answer = this.#cache.answers.get(key)
      if (answer) found.set(key, { ...answer, ...FREE })
      else if (this.#mayShare(key, shared.length)) shared.push(key)
      else own.push(key)
    }
    this.#cache.options.onLookup?.(inputs.length - own.length, own.length)

    const compute = async (wanted: string[]): Promise<void> => {
      if (wanted.length === 0) return
      const predictions = await this.#compute(wanted, byKey, options)
      for (const [i, key] of wanted.entries()) found.set(key, predictions[i] as Prediction | ServeError)
    }
    const [, theirs] = await Promise.all([compute(own), this.#waitFor(shared, options)])
    for (const [key, prediction] of theirs) found.set(key, { ...prediction, cached: true })
    await compute(shared.filter((key) => !found.has(key)))
    return keys.map((key) => found.get(key) as Prediction | ServeError)
  }

  #mayShare(key: string, more: number): boolean {
    return this.#cache.inFlight.has(key) && this.#cache.waiting + more < this.#cache.options.maxWaiting
  }

  async #compute(keys: string[], inputs: Map<string, Float32Array>, options: PredictOptions) {
    const computing = this.#inner.predict(
      keys.map((key) => inputs.get(key) as Float32Array),
      options,
    )
    for (const [i, key] of keys.entries()) this.#share(key, i, computing)
    return computing
  }

  /** Lets others wait for a prediction of `computing`, and remembers it. */
  #share(key: string, index: number, computing: ReturnType<Model['predict']>): void {
    const { answers, inFlight } = this.#cache
    if (inFlight.has(key)) return
    const ended = (prediction: Prediction | ServeError | undefined): Prediction | undefined => {
      inFlight.delete(key)
      if (prediction === undefined || prediction instanceof ServeError) return undefined
      // Copies: what comes out of a batch holds on to the whole batch.
      answers.set(key, { logits: prediction.logits.slice(), embedding: prediction.embedding.slice() })
      return prediction
    }
    inFlight.set(
      key,
      computing.then(
        (predictions) => ended(predictions[index]),
        () => ended(undefined),
      ),
    )
  }

  /** What others compute of these, as far as it comes before this caller's deadline and while it stays. */
  async #waitFor(keys: string[], options: PredictOptions): Promise<Map<string, Prediction>> {
    const predictions = new Map<string, Prediction>()
    if (keys.length === 0) return predictions
    this.#cache.waiting += keys.length
    const all = Promise.all(
      keys.map(async (key) => {
        const prediction = await this.#cache.inFlight.get(key)
        if (prediction) predictions.set(key, prediction)
      }),
    )
    await untilGivenUp(all, options, this.#cache.options.clock)
    this.#cache.waiting -= keys.length
    return predictions
  }

  /** A cryptographic hash, since whoever can make two inputs collide would be given somebody else's answer. */
  #keyOf(input: Float32Array): string {
    const bytes = new Uint8Array(input.buffer, input.byteOffset, input.byteLength)
    return this.#prefix + hash('sha256', bytes, 'base64')
  }
}

/** Resolves with `promise`, or when the deadline passes or the signal is aborted. */
function untilGivenUp(promise: Promise<unknown>, { deadline, signal }: PredictOptions, clock: Clock): Promise<void> {
  return new Promise((resolve) => {
    const callOff = deadline === undefined ? () => {} : clock.after(deadline - clock.now(), () => end())
    const end = (): void => {
      callOff()
      signal?.removeEventListener('abort', end)
      resolve()
    }
    signal?.addEventListener('abort', end, { once: true })
    if (signal?.aborted) end()
    else void promise.then(end)
  })
}

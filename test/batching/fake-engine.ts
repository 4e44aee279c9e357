import { type BatchEngine, Batcher, type BatcherOptions, type DispatchReason } from '../../src/batching/batcher.ts'
import type { Place } from '../../src/batching/engine-schedule.ts'
import type { Answer } from '../../src/batching/job.ts'
import { ServeError } from '../../src/errors.ts'
import { FakeClock, settle } from '../helpers/fake-clock.ts'

/** The output for input `a` under key `k` is `k:a`. */
export interface FakeOutput {
  output: string
}

interface FakeBatch {
  key: string
  inputs: string[]
  resolve: (outputs: FakeOutput[]) => void
  reject: (error: unknown) => void
}

interface FakeEngineOptions {
  /** Batches that it computes side by side. */
  capacity?: () => number
  /** Items that must wait for a batch to go ahead; without it none does. */
  aheadFrom?: number
  /** Engines that may end at the same moment. */
  count?: number
}

/** An engine whose batches end when the test says so. */
class FakeEngine implements BatchEngine<string, string, FakeOutput> {
  readonly count: number
  /** Every batch it was given, in order. */
  readonly batches: FakeBatch[] = []
  /** Those of them that have not ended. */
  readonly running: FakeBatch[] = []
  readonly #capacity: () => number
  readonly #aheadFrom: number

  constructor({ capacity = () => 1, aheadFrom = Number.POSITIVE_INFINITY, count = 1 }: FakeEngineOptions = {}) {
    this.#capacity = capacity
    this.#aheadFrom = aheadFrom
    this.count = count
  }

  get ready(): number {
    return this.#capacity()
  }

  offer(waiting: number, _maxBatchSize: number): Place | undefined {
    if (this.running.length < this.ready) return 'compute'
    return this.running.length < 2 * this.ready && waiting >= this.#aheadFrom ? 'ahead' : undefined
  }

  run(key: string, inputs: string[]): Promise<FakeOutput[]> {
    return new Promise((resolve, reject) => {
      const batch = { key, inputs, resolve, reject }
      this.batches.push(batch)
      this.running.push(batch)
    })
  }

  /** The inputs of every batch, in order. */
  get seen(): string[][] {
    return this.batches.map(({ inputs }) => inputs)
  }

  /** Ends the batch that has run for the longest, with the right outputs. */
  async finish(): Promise<void> {
    const { key, inputs, resolve } = this.#next()
    resolve(inputs.map((input) => ({ output: `${key}:${input}` })))
    await settle()
  }

  /** Ends the batch that has run for the longest, with these outputs. */
  async finishWith(outputs: string[]): Promise<void> {
    this.#next().resolve(outputs.map((output) => ({ output })))
    await settle()
  }

  /** Fails the batch that has run for the longest. */
  async fail(error: unknown): Promise<void> {
    this.#next().reject(error)
    await settle()
  }

  /** Ends batches until none runs. Those that hold an input named in `poison` fail. */
  async finishAll({ poison = [] }: { poison?: string[] } = {}): Promise<void> {
    while (this.running[0] !== undefined) {
      if (this.running[0].inputs.some((input) => poison.includes(input))) await this.fail(new Error('poison'))
      else await this.finish()
    }
  }

  #next(): FakeBatch {
    const batch = this.running.shift()
    if (batch === undefined) throw new Error('no batch is running')
    return batch
  }
}

/** A clock that can jump on without running what falls due, as when something blocks the event loop. */
export class StallingClock extends FakeClock {
  #stalled = 0

  override now(): number {
    return super.now() + this.#stalled
  }

  stall(ms: number): void {
    this.#stalled += ms
  }
}

interface ObservedBatch {
  size: number
  reason: DispatchReason
}

type Options = Partial<BatcherOptions<string>> & FakeEngineOptions & { maxBatchSize?: number }

/** A batcher on a fake engine: batches of up to 4, no hold, one batch at a time. */
export function setUp({ capacity, aheadFrom, count, maxBatchSize = 4, ...options }: Options = {}) {
  const clock = new StallingClock()
  const engine = new FakeEngine({
    ...(capacity && { capacity }),
    ...(aheadFrom && { aheadFrom }),
    ...(count && { count }),
  })
  const observed: ObservedBatch[] = []
  const batcher = new Batcher(engine, {
    maxBatchSizeOf: () => maxBatchSize,
    batchTimeoutMs: 0,
    maxQueueSize: 100,
    clock,
    onBatch: (batch) => observed.push(batch),
    ...options,
  })
  return { clock, engine, observed, batcher }
}

/** What became of a submission so far; all undefined while it waits. */
export interface Watched {
  answers: (Answer<FakeOutput> | ServeError)[] | undefined
  /** Each item's output, or the code of its failure. */
  outcomes: string[] | undefined
  refusal: ServeError | undefined
}

export function watch(submission: Promise<(Answer<FakeOutput> | ServeError)[]>): Watched {
  const watched: Watched = { answers: undefined, outcomes: undefined, refusal: undefined }
  submission.then(
    (answers) => {
      watched.answers = answers
      watched.outcomes = answers.map((answer) => (answer instanceof ServeError ? answer.code : answer.output))
    },
    (error) => {
      watched.refusal = error
    },
  )
  return watched
}

/** As many inputs, named by a prefix: a0, a1, ... */
export const many = (prefix: string, count: number): string[] =>
  Array.from({ length: count }, (_, i) => `${prefix}${i}`)

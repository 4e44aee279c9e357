import { Batcher, type BatcherOptions, type DispatchReason } from '../../src/batching/batcher.ts'
import type { Clock } from '../../src/batching/clock.ts'
import type { Answer } from '../../src/batching/job.ts'
import { ServeError } from '../../src/errors.ts'
import { FakeClock, settle } from '../helpers/fake-clock.ts'

export interface FakeBatch {
  key: string
  inputs: string[]
  resolve: (outputs: string[]) => void
  reject: (error: unknown) => void
}

/** An engine whose batches end when the test says so. The output for input `a` under key `k` is `k:a`. */
export class FakeEngine {
  /** Every batch it was given, in order. */
  readonly batches: FakeBatch[] = []
  /** Those of them that have not ended. */
  readonly running: FakeBatch[] = []

  readonly run = (key: string, inputs: string[]): Promise<string[]> =>
    new Promise((resolve, reject) => {
      const batch = { key, inputs, resolve, reject }
      this.batches.push(batch)
      this.running.push(batch)
    })

  /** The inputs of every batch, in order. */
  get seen(): string[][] {
    return this.batches.map(({ inputs }) => inputs)
  }

  /** Ends the batch that has run for the longest, with the right outputs. */
  async finish(): Promise<void> {
    const { key, inputs, resolve } = this.#next()
    resolve(inputs.map((input) => `${key}:${input}`))
    await settle()
  }

  /** Ends the batch that has run for the longest, with these outputs. */
  async finishWith(outputs: string[]): Promise<void> {
    this.#next().resolve(outputs)
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

export interface ObservedBatch {
  key: string
  size: number
  computeMs: number
  reason: DispatchReason
}

type Options = Partial<BatcherOptions<string, string, string>> & { clock?: Clock }

/** A batcher on a fake engine: batches of up to 4, no hold, one batch at a time, no coalescing unless asked for. */
export function setUp(options: Options = {}) {
  const clock = new StallingClock()
  const engine = new FakeEngine()
  const observed: ObservedBatch[] = []
  const batcher = new Batcher<string, string, string>({
    maxBatchSize: 4,
    batchTimeoutMs: 0,
    maxQueueSize: 100,
    capacity: () => 1,
    run: engine.run,
    clock,
    onBatch: (batch) => observed.push(batch),
    ...options,
  })
  return { clock, engine, observed, batcher }
}

/** What became of a submission so far; all undefined while it waits. */
export interface Watched {
  answers: (Answer<string> | ServeError)[] | undefined
  /** Each item's output, or the code of its failure. */
  outcomes: string[] | undefined
  refusal: ServeError | undefined
}

export function watch(submission: Promise<(Answer<string> | ServeError)[]>): Watched {
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

/** For the batcher's `identify`: an input is its own identity. */
export const bySelf = (input: string): string => input

/** As many inputs, named by a prefix: a0, a1, ... */
export const many = (prefix: string, count: number): string[] =>
  Array.from({ length: count }, (_, i) => `${prefix}${i}`)

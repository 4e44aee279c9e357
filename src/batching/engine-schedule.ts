import type { Clock } from './clock.ts'
import { ServiceTime } from './service-time.ts'

/**
 * Share of the time left that a forecast may fill. Under overload every request is admitted at this limit, and one that
 * turns out late has cost the engine an answer that nobody reads.
 */
const MARGIN = 0.9

/** Where a batch goes: it is computed at once, or waits with the engine behind one that is. */
export type Place = 'compute' | 'ahead'

/** A batch that the engine has. */
export interface ScheduledBatch {
  items: number
  /** When its computation began, on the clock's scale (ms); when it was sent, while it waits behind another. */
  startedAt: number
  /** When that is expected to end. */
  expectedEnd: number
}

interface ScheduleOptions {
  clock: Clock
  maxBatchSize: number
  /** Batches that are computed side by side when there is work for all. */
  concurrency: () => number
}

/** What the engine is doing, and when it will be free: the batches that it has, and how long recent ones took. */
export class EngineSchedule {
  readonly #options: ScheduleOptions
  readonly #serviceTime = new ServiceTime()
  readonly #computing = new Set<ScheduledBatch>()
  /** In the order in which they will be computed. */
  readonly #ahead: ScheduledBatch[] = []

  constructor(options: ScheduleOptions) {
    this.#options = options
  }

  /** True while the engine has no batch at all. */
  get isIdle(): boolean {
    return this.#computing.size + this.#ahead.length === 0
  }

  /** Items of the batches that wait with the engine. */
  get itemsAhead(): number {
    return this.#ahead.reduce((sum, { items }) => sum + items, 0)
  }

  add(items: number, place: Place): ScheduledBatch {
    const batch: ScheduledBatch = { items, startedAt: this.#options.clock.now(), expectedEnd: Number.POSITIVE_INFINITY }
    if (place === 'ahead') this.#ahead.push(batch)
    else this.#begin(batch)
    return batch
  }

  /**
   * The batch has ended, and the next of those that wait begins. Returns when it had begun. Only one that succeeded tells
   * how fast the engine is.
   */
  end(batch: ScheduledBatch, succeeded: boolean): number {
    const { items, startedAt } = batch
    if (this.#computing.delete(batch)) {
      if (succeeded) this.#serviceTime.record(items, this.#options.clock.now() - startedAt)
      const next = this.#ahead.shift()
      if (next) this.#begin(next)
    } else this.#ahead.splice(this.#ahead.indexOf(batch), 1)
    return startedAt
  }

  /**
   * When a batch of `items` sent now will have ended at the earliest, on the clock's scale: after what it must wait for,
   * and at twice the measured speed. Undefined while nothing has been measured.
   */
  earliestEnd(items: number, place: Place): number | undefined {
    const expectedMs = this.#serviceTime.estimate(items)
    if (expectedMs === 0) return undefined
    const now = this.#options.clock.now()
    const wait = place === 'ahead' ? Math.min(...this.#msUntilEachEnds()) : 0
    return now + wait + expectedMs / 2
  }

  /** Milliseconds until the last of `items` waiting ones has its answer; 0 while nothing has been measured. */
  msUntilDone(items: number): number {
    const { maxBatchSize } = this.#options
    const free = this.#msUntilEachIsFree()
    // The last batch counts as a full one too: by then, others will have joined it. Engines take turns, each from when it
    // is free, since none is busy for longer than a full batch.
    const batchMs = this.#serviceTime.estimate(Math.min(items, maxBatchSize))
    const before = Math.max(0, Math.ceil(items / maxBatchSize) - 1)
    const rounds = items === 0 ? 0 : Math.floor(before / free.length) + 1
    return (free[before % free.length] as number) + rounds * batchMs
  }

  /** Whether the last of `items` waiting ones will have its answer within `ms`; true while nothing has been measured. */
  canMeet(ms: number, items: number): boolean {
    return ms === Number.POSITIVE_INFINITY || this.msUntilDone(items) <= MARGIN * ms
  }

  #begin(batch: ScheduledBatch): void {
    batch.startedAt = this.#options.clock.now()
    batch.expectedEnd = batch.startedAt + this.#serviceTime.estimate(batch.items)
    this.#computing.add(batch)
  }

  #msUntilEachEnds(): number[] {
    const now = this.#options.clock.now()
    return [...this.#computing].map(({ expectedEnd }) => Math.max(0, expectedEnd - now)).sort((a, b) => a - b)
  }

  /** One for each batch that is computed side by side, the first to be free first. */
  #msUntilEachIsFree(): number[] {
    const concurrency = Math.max(1, this.#options.concurrency())
    const busy = this.#msUntilEachEnds()
    return [...new Array<number>(Math.max(0, concurrency - busy.length)).fill(0), ...busy].slice(0, concurrency)
  }
}

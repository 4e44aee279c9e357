import type { Clock } from './clock.ts'
import { ServiceTime } from './service-time.ts'

/**
 * A request is admitted if its forecast fits into this share of the time it has left. Under overload all requests come
 * close to the limit, and a late answer is wasted work.
 */
const MARGIN = 0.9

/** Where a batch goes: it is computed at once, or it waits with the engine behind the batch being computed. */
export type Place = 'compute' | 'ahead'

/** A batch that the engine has. */
export interface ScheduledBatch {
  items: number
  /** When its computation began (clock ms); while it waits behind another, when it was sent. */
  startedAt: number
  /** When its computation should end (clock ms). */
  expectedEnd: number
}

interface ScheduleOptions {
  clock: Clock
  maxBatchSize: number
  /** Batches that can be computed at the same time. */
  concurrency: () => number
}

/** The batches that the engine has, and when it will be free, forecast from recent batches. */
export class EngineSchedule {
  readonly #options: ScheduleOptions
  readonly #serviceTime = new ServiceTime()
  readonly #computing = new Set<ScheduledBatch>()
  /** In the order of their computation. */
  readonly #ahead: ScheduledBatch[] = []

  constructor(options: ScheduleOptions) {
    this.#options = options
  }

  /** True while the engine has no batch. */
  get isIdle(): boolean {
    return this.#computing.size + this.#ahead.length === 0
  }

  /** Items in batches that were sent ahead. */
  get itemsAhead(): number {
    return this.#ahead.reduce((sum, { items }) => sum + items, 0)
  }

  add(items: number, place: Place): ScheduledBatch {
    const batch: ScheduledBatch = { items, startedAt: this.#options.clock.now(), expectedEnd: Number.POSITIVE_INFINITY }
    if (place === 'ahead') this.#ahead.push(batch)
    else this.#begin(batch)
    return batch
  }

  /** Removes a batch, lets the next one begin, and returns when this one began. Only successes count as measurements. */
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
   * The earliest end (clock ms) of a batch of `items` sent now: after the batch it waits for, at twice the measured speed.
   * Undefined while nothing has been measured.
   */
  earliestEnd(items: number, place: Place): number | undefined {
    const expectedMs = this.#serviceTime.estimate(items)
    if (expectedMs === 0) return undefined
    const now = this.#options.clock.now()
    const wait = place === 'ahead' ? Math.min(...this.#msUntilEachEnds()) : 0
    return now + wait + expectedMs / 2
  }

  /** Milliseconds until `items` waiting items are all answered; 0 while nothing has been measured. */
  msUntilDone(items: number): number {
    const { maxBatchSize } = this.#options
    const free = this.#msUntilEachIsFree()
    // The last batch counts as full, since other items will join it. Engines take turns from when each is free; none is
    // busy for longer than a full batch.
    const batchMs = this.#serviceTime.estimate(Math.min(items, maxBatchSize))
    const before = Math.max(0, Math.ceil(items / maxBatchSize) - 1)
    const rounds = items === 0 ? 0 : Math.floor(before / free.length) + 1
    return (free[before % free.length] as number) + rounds * batchMs
  }

  /** Whether `items` waiting items can all be answered within `ms`; true while nothing has been measured. */
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

  /** One number per engine, in ascending order. */
  #msUntilEachIsFree(): number[] {
    const concurrency = Math.max(1, this.#options.concurrency())
    const busy = this.#msUntilEachEnds()
    return [...new Array<number>(Math.max(0, concurrency - busy.length)).fill(0), ...busy].slice(0, concurrency)
  }
}

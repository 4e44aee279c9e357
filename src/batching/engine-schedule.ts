import type { Clock } from './clock.ts'
import { ServiceTime } from './service-time.ts'

/**
 * A request is admitted if its forecast fits into this share of the time it has left. Under overload all requests come
 * close to the limit, and a late answer is wasted work.
 */
const MARGIN = 0.9

/**
 * A key's speed is forgotten after this many batches of other keys: a key that seemed too slow for its deadlines would get no
 * batch that shows otherwise.
 */
const FORGOTTEN_AFTER = 256

/** Where a batch goes: it is computed at once, or it waits with the engine behind the batch being computed. */
export type Place = 'compute' | 'ahead'

/** A batch that the engine has. */
export interface ScheduledBatch<Key> {
  key: Key
  items: number
  /** When its computation began (clock ms); while it waits behind another, when it was sent. */
  startedAt: number
  /** When its computation should end (clock ms). */
  expectedEnd: number
}

interface ScheduleOptions<Key> {
  clock: Clock
  maxBatchSizeOf: (key: Key) => number
  /** Batches that can be computed at the same time. */
  concurrency: () => number
}

/** The batches that the engine has, and when it will be free, forecast from recent batches of each key. */
export class EngineSchedule<Key> {
  readonly #options: ScheduleOptions<Key>
  /** How long batches of each key take, and the number of the last batch that was measured. */
  readonly #speeds = new Map<Key, { serviceTime: ServiceTime; lastBatch: number }>()
  #batches = 0
  readonly #computing = new Set<ScheduledBatch<Key>>()
  /** In the order of their computation. */
  readonly #ahead: ScheduledBatch<Key>[] = []

  constructor(options: ScheduleOptions<Key>) {
    this.#options = options
  }

  /** True while the engine has no batch. */
  get isIdle(): boolean {
    return this.#computing.size + this.#ahead.length === 0
  }

  add(key: Key, items: number, place: Place): ScheduledBatch<Key> {
    const batch = { key, items, startedAt: this.#options.clock.now(), expectedEnd: Number.POSITIVE_INFINITY }
    if (place === 'ahead') this.#ahead.push(batch)
    else this.#begin(batch)
    return batch
  }

  /** Removes a batch, lets the next one begin, and returns when this one began. Only successes count as measurements. */
  end(batch: ScheduledBatch<Key>, succeeded: boolean): number {
    const { key, items, startedAt } = batch
    if (this.#computing.delete(batch)) {
      if (succeeded) this.#record(key, items, this.#options.clock.now() - startedAt)
      const next = this.#ahead.shift()
      if (next) this.#begin(next)
    } else this.#ahead.splice(this.#ahead.indexOf(batch), 1)
    return startedAt
  }

  /**
   * The earliest end (clock ms) of a batch of `items` sent now: after the batch it waits for, at twice the measured speed.
   * Undefined while nothing of this key has been measured.
   */
  earliestEnd(key: Key, items: number, place: Place): number | undefined {
    const expectedMs = this.#estimate(key, items)
    if (expectedMs === 0) return undefined
    const now = this.#options.clock.now()
    const wait = place === 'ahead' ? Math.min(...this.#msUntilEachEnds()) : 0
    return now + wait + expectedMs / 2
  }

  /**
   * Milliseconds until `waiting` items are answered, one key after the other: the end of the last batch of the last key,
   * after what the engine has. Keys of which nothing has been measured count as 0.
   */
  msUntilDone(waiting: ReadonlyMap<Key, number>): number {
    const free = this.#msUntilEachIsFree()
    /** The engine that is free first takes a batch; returns the batch's end. */
    const run = (ms: number): number => {
      const first = free.indexOf(Math.min(...free))
      const end = (free[first] as number) + ms
      free[first] = end
      return end
    }
    for (const { key, items } of this.#ahead) run(this.#estimate(key, items))
    let end = Math.min(...free)
    for (const [key, items] of waiting) {
      const size = this.#options.maxBatchSizeOf(key)
      // The last batch counts as full, since other items will join it.
      const batchMs = this.#estimate(key, Math.min(items, size))
      for (let left = items; left > 0; left -= size) end = run(batchMs)
    }
    return end
  }

  /** Whether `waiting` items can all be answered within `ms`; true while nothing has been measured. */
  canMeet(ms: number, waiting: ReadonlyMap<Key, number>): boolean {
    return ms === Number.POSITIVE_INFINITY || this.msUntilDone(waiting) <= MARGIN * ms
  }

  #record(key: Key, items: number, ms: number): void {
    const serviceTime = this.#serviceTime(key) ?? new ServiceTime()
    serviceTime.record(items, ms)
    this.#speeds.set(key, { serviceTime, lastBatch: ++this.#batches })
    // Keys come and go, and what is forgotten must not be kept.
    for (const [other, { lastBatch }] of this.#speeds) {
      if (this.#batches - lastBatch > FORGOTTEN_AFTER) this.#speeds.delete(other)
    }
  }

  /** Expected milliseconds of a batch; 0 while nothing of this key has been measured. */
  #estimate(key: Key, items: number): number {
    return this.#serviceTime(key)?.estimate(items) ?? 0
  }

  #serviceTime(key: Key): ServiceTime | undefined {
    return this.#speeds.get(key)?.serviceTime
  }

  #begin(batch: ScheduledBatch<Key>): void {
    batch.startedAt = this.#options.clock.now()
    batch.expectedEnd = batch.startedAt + this.#estimate(batch.key, batch.items)
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

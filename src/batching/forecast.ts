import type { Clock } from './clock.ts'
import { ServiceTime } from './service-time.ts'

/**
 * Share of the time left that a forecast may fill. Under overload every request is admitted at this limit, and one that
 * turns out late has cost the engine an answer that nobody reads.
 */
const MARGIN = 0.9

interface ForecastOptions {
  maxBatchSize: number
  /** Batches with the engine at once; what it has while it restarts says nothing, and counts as one. */
  capacity: () => number
  clock: Clock
}

/** When queued work will be done, from the batches that run and the time that recent ones took. */
export class Forecast {
  readonly #options: ForecastOptions
  readonly #serviceTime = new ServiceTime()
  /** Expected end of each batch that runs, on the clock's scale. */
  readonly #expectedEnds = new Set<{ at: number }>()

  constructor(options: ForecastOptions) {
    this.#options = options
  }

  /** A batch of `items` starts now. The function returned is called when it ends; only one that succeeded is measured. */
  begin(items: number): (succeeded: boolean) => void {
    const { clock } = this.#options
    const start = clock.now()
    const expected = { at: start + this.#serviceTime.estimate(items) }
    this.#expectedEnds.add(expected)
    return (succeeded) => {
      this.#expectedEnds.delete(expected)
      if (succeeded) this.#serviceTime.record(items, clock.now() - start)
    }
  }

  /**
   * When a batch of `items` formed now will have ended at the earliest, on the clock's scale: after what runs, if it must
   * wait for that, and at twice the measured speed. Undefined while nothing has been measured.
   */
  earliestEnd(items: number): number | undefined {
    const expectedMs = this.#serviceTime.estimate(items)
    if (expectedMs === 0) return undefined
    return this.#options.clock.now() + (this.#msUntilEachIsFree()[0] as number) + expectedMs / 2
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

  /** One for each batch that the engine computes at once, the first to be free first. */
  #msUntilEachIsFree(): number[] {
    const now = this.#options.clock.now()
    const capacity = Math.max(1, this.#options.capacity())
    const busy = [...this.#expectedEnds].map(({ at }) => Math.max(0, at - now)).sort((a, b) => a - b)
    return [...new Array<number>(Math.max(0, capacity - busy.length)).fill(0), ...busy].slice(0, capacity)
  }
}

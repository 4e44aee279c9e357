import { monitorEventLoopDelay } from 'node:perf_hooks'
import { ServeError } from '../errors.ts'

/** How often (ms) this process looks at itself. */
const SAMPLE_MS = 1000
/** Of the timer that measures the delay (ms): what it is late by is the delay. */
const RESOLUTION_MS = 10

/** What this process may suffer before it takes on no more work; 0 is no limit. */
export interface PressureLimits {
  /** Milliseconds by which the event loop is late, on average over a second. */
  maxEventLoopDelayMs: number
  /** Bytes of resident memory. */
  maxRssBytes: number
}

export interface PressureSample {
  eventLoopDelayMs: number
  rssBytes: number
}

/**
 * Whether this process is short of time or memory, judged once a second. The event loop must be late in two samples
 * running: a process that was stopped for a while, with its whole machine perhaps, was late once and is not busy.
 */
export class Pressure {
  readonly #limits: PressureLimits
  #wasLate = false
  #isLate = false
  #isLarge = false

  constructor(limits: PressureLimits) {
    this.#limits = limits
  }

  /** Why no work is taken on now; undefined when it is. */
  get refusal(): ServeError | undefined {
    const what = this.#isLate && this.#wasLate ? 'time' : this.#isLarge ? 'memory' : undefined
    return what && new ServeError('overloaded', `the server is short of ${what}`, { retryAfterS: 1 })
  }

  observe({ eventLoopDelayMs, rssBytes }: PressureSample): void {
    const { maxEventLoopDelayMs, maxRssBytes } = this.#limits
    this.#wasLate = this.#isLate
    this.#isLate = maxEventLoopDelayMs > 0 && eventLoopDelayMs > maxEventLoopDelayMs
    this.#isLarge = maxRssBytes > 0 && rssBytes > maxRssBytes
  }
}

/** Measures this process for as long as it lives, and keeps nothing alive. */
export function watchPressure(pressure: Pressure): void {
  const histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
  histogram.enable()
  setInterval(() => {
    // NaN where the timer has not fired at all, which it has not because the loop stood still.
    const mean = Number.isNaN(histogram.mean) ? Number.POSITIVE_INFINITY : histogram.mean / 1e6 - RESOLUTION_MS
    histogram.reset()
    pressure.observe({ eventLoopDelayMs: mean, rssBytes: process.memoryUsage.rss() })
  }, SAMPLE_MS).unref()
}

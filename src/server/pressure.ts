import { monitorEventLoopDelay } from 'node:perf_hooks'
import { ServeError } from '../errors.ts'

/** How often (ms) this process is measured. */
const SAMPLE_MS = 1000
/** Interval (ms) of the timer whose lateness is the delay. */
const RESOLUTION_MS = 10

/** Beyond these limits the process refuses work; 0 is no limit. */
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
 * Tells once a second whether this process is short of time or memory. The event loop must be late in two samples in a
 * row: a process that was only suspended is late once.
 */
export class Pressure {
  readonly #limits: PressureLimits
  #wasLate = false
  #isLate = false
  #isLarge = false

  constructor(limits: PressureLimits) {
    this.#limits = limits
  }

  /** Why work is refused now; undefined if it is not. */
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

/** Measures this process until it ends, without keeping it alive. */
export function watchPressure(pressure: Pressure): void {
  const histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
  histogram.enable()
  setInterval(() => {
    // NaN: the timer has not fired, since the loop was blocked.
    const mean = Number.isNaN(histogram.mean) ? Number.POSITIVE_INFINITY : histogram.mean / 1e6 - RESOLUTION_MS
    histogram.reset()
    pressure.observe({ eventLoopDelayMs: mean, rssBytes: process.memoryUsage.rss() })
  }, SAMPLE_MS).unref()
}

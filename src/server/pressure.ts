import type { Clock } from '../batching/clock.ts'
import { ServeError } from '../errors.ts'

/** How often (ms) this process is measured. */
const SAMPLE_MS = 1000
/** Interval (ms) of the timer whose lateness is the delay. Node's own monitor of it wakes an idle process far more often. */
const TICK_MS = 250

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

/**
 * Measures this process until it ends, without keeping it alive. `onTick` gets the milliseconds by which the event loop
 * is late, four times a second.
 */
export function watchPressure(pressure: Pressure, clock: Clock, onTick: (delayMs: number) => void): void {
  let [sampledAt, tickedAt, ticks] = [clock.now(), clock.now(), 0]
  setInterval(() => {
    const now = clock.now()
    onTick(Math.max(0, now - tickedAt - TICK_MS))
    tickedAt = now
    ticks++
    if (now - sampledAt < SAMPLE_MS) return
    pressure.observe({ eventLoopDelayMs: (now - sampledAt) / ticks - TICK_MS, rssBytes: process.memoryUsage.rss() })
    sampledAt = now
    ticks = 0
  }, TICK_MS).unref()
}

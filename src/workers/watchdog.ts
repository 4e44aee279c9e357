import type { Clock } from '../batching/clock.ts'

/** A timer that fires later than this (ms) says that this process stood still. */
const LATE_MS = 1000

/**
 * Calls `onTimeout` when it has not been fed for `ms`. What this process did not read in time is not held against the
 * other: after it stood still, the wait starts again, and what has come meanwhile is read before the last word.
 */
export class Watchdog {
  readonly #clock: Clock
  readonly #ms: number
  readonly #onTimeout: () => void
  #callOff: () => void = () => {}

  constructor(clock: Clock, ms: number, onTimeout: () => void) {
    this.#clock = clock
    this.#ms = ms
    this.#onTimeout = onTimeout
  }

  /** Starts the wait, or starts it again. */
  feed(): void {
    this.stop()
    const due = this.#clock.now() + this.#ms
    this.#callOff = this.#clock.after(this.#ms, () => {
      if (this.#clock.now() - due > LATE_MS) this.feed()
      // Timers come before messages in a turn of the event loop.
      else this.#callOff = this.#clock.after(0, this.#onTimeout)
    })
  }

  stop(): void {
    this.#callOff()
  }
}

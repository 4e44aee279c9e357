import type { Clock } from '../../src/batching/clock.ts'

/**
 * Requests due at a fixed rate, whatever becomes of earlier ones (an open loop). `onDue` gets the time each was due, on
 * the clock (ms). A timer that fires late delivers all that fell due meanwhile, so a latency counted from that time
 * hides no waiting (Tene's "coordinated omission").
 */
export class Schedule {
  readonly #clock: Clock
  readonly #intervalMs: number
  readonly #onDue: (dueAt: number) => void
  readonly #startedAt: number
  readonly #total: number
  #sent = 0
  #callOff: () => void = () => {}

  /** The first is due at once, the last before `durationMs` has passed. */
  constructor(clock: Clock, ratePerS: number, durationMs: number, onDue: (dueAt: number) => void) {
    this.#clock = clock
    this.#intervalMs = 1000 / ratePerS
    this.#total = Math.ceil(durationMs / this.#intervalMs)
    this.#onDue = onDue
    this.#startedAt = clock.now()
    this.#tick()
  }

  get finished(): boolean {
    return this.#sent === this.#total
  }

  stop(): void {
    this.#callOff()
  }

  #tick(): void {
    const now = this.#clock.now()
    while (!this.finished && this.#nextDue <= now) {
      const dueAt = this.#nextDue
      this.#sent++
      this.#onDue(dueAt)
    }
    if (!this.finished) this.#callOff = this.#clock.after(this.#nextDue - now, () => this.#tick())
  }

  get #nextDue(): number {
    return this.#startedAt + this.#sent * this.#intervalMs
  }
}

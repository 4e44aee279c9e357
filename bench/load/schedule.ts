import type { Clock } from '../../src/batching/clock.ts'

/** Milliseconds, from the start, at which requests are due at an even rate: the first at once, the last before `durationMs`. */
export function* even(ratePerS: number, durationMs: number): Generator<number> {
  const count = Math.ceil((durationMs * ratePerS) / 1000)
  for (let i = 0; i < count; i++) yield (i * 1000) / ratePerS
}

/** The same for requests of many clients that know nothing of each other: the gaps are exponential (a Poisson process). */
export function* poisson(ratePerS: number, durationMs: number, random: () => number): Generator<number> {
  const gap = (): number => (-Math.log(1 - random()) * 1000) / ratePerS
  for (let at = gap(); at < durationMs; at += gap()) yield at
}

/**
 * Requests due at given times, whatever becomes of earlier ones (an open loop). `onDue` gets the time each was due, on
 * the clock (ms). A timer that fires late delivers all that fell due meanwhile, so a latency counted from that time
 * hides no waiting (Tene's "coordinated omission").
 */
export class Schedule {
  readonly #clock: Clock
  readonly #offsets: Iterator<number>
  readonly #onDue: (dueAt: number) => void
  readonly #startedAt: number
  /** Undefined after the last. */
  #nextDue: number | undefined
  #callOff: () => void = () => {}

  /** `offsets` are milliseconds from now, ascending. */
  constructor(clock: Clock, offsets: Iterable<number>, onDue: (dueAt: number) => void) {
    this.#clock = clock
    this.#offsets = offsets[Symbol.iterator]()
    this.#onDue = onDue
    this.#startedAt = clock.now()
    this.#advance()
    this.#tick()
  }

  get finished(): boolean {
    return this.#nextDue === undefined
  }

  stop(): void {
    this.#callOff()
  }

  #tick(): void {
    const now = this.#clock.now()
    while (this.#nextDue !== undefined && this.#nextDue <= now) {
      const dueAt = this.#nextDue
      this.#advance()
      this.#onDue(dueAt)
    }
    if (this.#nextDue !== undefined) this.#callOff = this.#clock.after(this.#nextDue - now, () => this.#tick())
  }

  #advance(): void {
    const { done, value } = this.#offsets.next()
    this.#nextDue = done ? undefined : this.#startedAt + value
  }
}

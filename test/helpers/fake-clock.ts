import type { Clock } from '../../src/batching/clock.ts'

/** A clock that moves only when told to, and runs what falls due on the way. */
export class FakeClock implements Clock {
  #now = 0
  #timers: { due: number; callback: () => void }[] = []

  now(): number {
    return this.#now
  }

  after(ms: number, callback: () => void): () => void {
    const timer = { due: this.#now + ms, callback }
    this.#timers.push(timer)
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer)
    }
  }

  /** Timers that have been set and neither run nor called off. */
  get pending(): number {
    return this.#timers.length
  }

  /** Moves on by `ms`, running timers in the order they fall due, and lets promises settle after each. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms
    for (;;) {
      const next = this.#timers.filter((timer) => timer.due <= end).sort((a, b) => a.due - b.due)[0]
      if (next === undefined) break
      this.#now = Math.max(this.#now, next.due)
      this.#timers = this.#timers.filter((timer) => timer !== next)
      next.callback()
      await settle()
    }
    this.#now = end
    await settle()
  }
}

/** Lets everything that waits only for promises go on. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve()
}

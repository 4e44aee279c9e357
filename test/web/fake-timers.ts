import type { Timers } from '../../web/src/request-line.ts'

/** Time that passes when `advance` says so. */
export class FakeTimers implements Timers {
  #now = 0
  #waiting: { at: number; run: () => void }[] = []

  setTimeout(run: () => void, ms: number): unknown {
    const timer = { at: this.#now + ms, run }
    this.#waiting.push(timer)
    return timer
  }

  clearTimeout(timer: unknown): void {
    this.#waiting = this.#waiting.filter((each) => each !== timer)
  }

  advance(ms: number): void {
    const until = this.#now + ms
    for (;;) {
      const [next] = this.#waiting.filter(({ at }) => at <= until).sort((a, b) => a.at - b.at)
      if (next === undefined) break
      this.#now = next.at
      this.clearTimeout(next)
      next.run()
    }
    this.#now = until
  }
}

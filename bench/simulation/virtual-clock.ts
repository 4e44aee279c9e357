import { setImmediate as settled } from 'node:timers/promises'
import TinyQueue from 'tinyqueue'
import type { Clock } from '../../src/batching/clock.ts'

interface Timer {
  due: number
  /** Of two that are due together, the one set first runs first. */
  order: number
  /** Undefined once called off. */
  callback: (() => void) | undefined
}

/** Time that jumps to whatever is due next. */
export class VirtualClock implements Clock {
  #now = 0
  #set = 0
  readonly #timers = new TinyQueue<Timer>([], (a, b) => a.due - b.due || a.order - b.order)

  now(): number {
    return this.#now
  }

  after(ms: number, callback: () => void): () => void {
    const timer: Timer = { due: this.#now + ms, order: this.#set++, callback }
    this.#timers.push(timer)
    return () => {
      timer.callback = undefined
    }
  }

  /** Until nothing is due any more. What waits for promises alone goes on before time does. */
  async run(): Promise<void> {
    for (let timer = this.#timers.pop(); timer; timer = this.#timers.pop()) {
      if (timer.callback === undefined) continue
      this.#now = timer.due
      timer.callback()
      await settled()
    }
  }
}

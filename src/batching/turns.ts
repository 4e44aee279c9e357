import type { Clock } from './clock.ts'
import type { Forecast } from './forecast.ts'

interface Turn {
  items: number
  begin(): void
}

/** Which of the batches with the engine are being computed, and which were sent ahead and wait there for their turn. */
export class Turns {
  readonly #clock: Clock
  readonly #forecast: Forecast
  readonly #waiting: Turn[] = []

  constructor(clock: Clock, forecast: Forecast) {
    this.#clock = clock
    this.#forecast = forecast
  }

  /** Batches that wait for their turn. */
  get waiting(): number {
    return this.#waiting.length
  }

  get itemsWaiting(): number {
    return this.#waiting.reduce((sum, { items }) => sum + items, 0)
  }

  /**
   * A batch goes to the engine, to be computed at once or `later`, when `next` comes to it. What is returned is called
   * when it ends, and says when its turn came (ms on the clock); only a batch that succeeded tells how fast the engine is.
   */
  take(items: number, later: boolean): (succeeded: boolean) => number {
    let start = this.#clock.now()
    let measured: ((succeeded: boolean) => void) | undefined
    const turn: Turn = {
      items,
      begin: () => {
        start = this.#clock.now()
        measured = this.#forecast.begin(items)
      },
    }
    if (later) this.#waiting.push(turn)
    else turn.begin()
    return (succeeded) => {
      const position = this.#waiting.indexOf(turn)
      if (position >= 0) this.#waiting.splice(position, 1)
      measured?.(succeeded)
      return start
    }
  }

  /** A batch has ended: the turn is the next one's. */
  next(): void {
    this.#waiting.shift()?.begin()
  }
}

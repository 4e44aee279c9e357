/** How fast the queue empties, as an exponentially weighted mean over batches; the source of every Retry-After. */
export class DrainRate {
  #itemsPerMs = 0
  #lastEnd = Number.NEGATIVE_INFINITY

  /** Records a batch of `items` that ran from `start` to `end` (ms). Overlapping batches share their common time. */
  record(items: number, start: number, end: number): void {
    const elapsed = Math.max(end - Math.max(start, this.#lastEnd), 0.01)
    const rate = items / elapsed
    this.#itemsPerMs = this.#itemsPerMs === 0 ? rate : 0.8 * this.#itemsPerMs + 0.2 * rate
    this.#lastEnd = end
  }

  /** Whole seconds until `queued` items are done, from 1 to 60; 1 while nothing has been measured. */
  secondsToDrain(queued: number): number {
    if (this.#itemsPerMs === 0) return 1
    return Math.min(Math.max(Math.ceil(queued / this.#itemsPerMs / 1000), 1), 60)
  }
}

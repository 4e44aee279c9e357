/** How fast the queue empties, over recent batches, each older one counting for less; the source of every Retry-After. */
export class DrainRate {
  // Two sums, not a mean of rates: two batches that end together would make the second look infinitely fast.
  #items = 0
  #ms = 0
  #lastEnd = Number.NEGATIVE_INFINITY

  /** Records a batch of `items` that ran from `start` to `end` (ms). Overlapping batches share their common time. */
  record(items: number, start: number, end: number): void {
    this.#items = 0.8 * this.#items + items
    this.#ms = 0.8 * this.#ms + Math.max(end - Math.max(start, this.#lastEnd), 0)
    this.#lastEnd = end
  }

  /** Whole seconds until `queued` items are done, from 1 to 60; 1 while nothing has been measured. */
  secondsToDrain(queued: number): number {
    if (this.#items === 0) return 1
    return Math.min(Math.max(Math.ceil((queued * this.#ms) / this.#items / 1000), 1), 60)
  }
}

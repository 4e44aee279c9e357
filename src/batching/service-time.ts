/** Each new batch multiplies the weight of earlier ones by this: the last ten batches make up two thirds of the total. */
const MEMORY = 0.9
/** A batch counts as at most this many times its estimate: one that waited for a new engine is no measure of the next. */
const MAX_SURPRISE = 3

/**
 * How long a batch of n items takes: `fixed + perItem * n`, fitted to recent batches by weighted least squares. If their
 * sizes are too similar for a fit, all of the time is taken as fixed or as per item, whichever gives the smaller estimate.
 */
export class ServiceTime {
  #weight = 0
  #items = 0
  #ms = 0
  #itemsSquared = 0
  #itemsTimesMs = 0

  record(items: number, ms: number): void {
    const counted = this.#weight === 0 ? ms : Math.min(ms, MAX_SURPRISE * this.estimate(items))
    this.#weight = MEMORY * this.#weight + 1
    this.#items = MEMORY * this.#items + items
    this.#ms = MEMORY * this.#ms + counted
    this.#itemsSquared = MEMORY * this.#itemsSquared + items * items
    this.#itemsTimesMs = MEMORY * this.#itemsTimesMs + items * counted
  }

  /** Expected milliseconds of a batch of `items`; 0 while nothing has been measured. */
  estimate(items: number): number {
    if (this.#weight === 0) return 0
    const meanItems = this.#items / this.#weight
    const meanMs = this.#ms / this.#weight
    // `fixed` and `perItem` cannot be negative: this bounds the slope on both sides.
    const steepest = meanMs / meanItems
    const variance = this.#itemsSquared / this.#weight - meanItems ** 2
    const covariance = this.#itemsTimesMs / this.#weight - meanItems * meanMs
    const unknown = items < meanItems ? steepest : 0
    const slope = variance < 1e-6 ? unknown : Math.min(Math.max(covariance / variance, 0), steepest)
    return meanMs + slope * (items - meanItems)
  }
}

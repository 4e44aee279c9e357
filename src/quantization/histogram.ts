/** Bins over [-reach, reach), so that zero is always an edge; fine enough for 255 steps after the reach has doubled. */
const BINS = 8192

/**
 * Counts of real numbers, and their exact extremes. The reach grows by doubling, which merges pairs of bins: one pass
 * over the data is enough, and the order of the numbers hardly matters.
 */
export class Histogram {
  /** `[BINS]`; bin i counts the numbers in [`lowerEdge(i)`, `lowerEdge(i + 1)`). */
  readonly counts = new Float64Array(BINS)
  min = 0
  max = 0
  total = 0
  #reach = 0

  get binWidth(): number {
    return (2 * this.#reach) / BINS
  }

  lowerEdge(bin: number): number {
    return (bin - BINS / 2) * this.binWidth
  }

  add(values: Float32Array): void {
    let [min, max, sum] = [this.min, this.max, 0]
    for (let i = 0; i < values.length; i++) {
      const value = values[i] as number
      if (value < min) min = value
      if (value > max) max = value
      sum += value
    }
    // The sum of finite float32 is finite in float64.
    if (!Number.isFinite(sum)) throw new Error('calibration met a number that is not finite')
    this.min = min
    this.max = max
    this.total += values.length
    this.#grow(Math.max(-min, max))
    const perUnit = this.#reach === 0 ? 0 : 1 / this.binWidth
    for (let i = 0; i < values.length; i++) {
      const bin = Math.floor((values[i] as number) * perUnit) + BINS / 2
      ;(this.counts[Math.max(0, Math.min(BINS - 1, bin))] as number)++
    }
  }

  #grow(magnitude: number): void {
    if (magnitude === 0) return
    if (this.#reach === 0) {
      // Everything counted so far is zero, and its bin begins at zero.
      this.#reach = magnitude
      return
    }
    while (magnitude > this.#reach) {
      const merged = new Float64Array(BINS)
      for (let bin = 0; bin < BINS; bin++) {
        ;(merged[(bin + BINS / 2) >> 1] as number) += this.counts[bin] as number
      }
      this.counts.set(merged)
      this.#reach *= 2
    }
  }
}

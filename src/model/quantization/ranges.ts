import type { Histogram } from './histogram.ts'
import { divergence, squaredError } from './range-costs.ts'
import type { Range } from './uint8.ts'

/** Share of the numbers that `percentile` keeps on each side of zero. */
const KEPT = 0.9999

/** Fractions of the extremes that the searches try. */
const FRACTIONS = Array.from({ length: 46 }, (_, i) => (10 + 2 * i) / 100)

/** Everything that was seen. */
export function minMaxRange({ min, max }: Histogram): Range {
  return { low: min, high: max }
}

/** All but the last share `1 - kept` of the numbers at either end. */
export function percentileRange(histogram: Histogram, kept = KEPT): Range {
  const { counts, total, min, max } = histogram
  const cut = total * (1 - kept)
  let [first, below] = [0, counts[0] ?? 0]
  while (below <= cut && first < counts.length - 1) below += counts[++first] as number
  let [last, above] = [counts.length - 1, counts.at(-1) ?? 0]
  while (above <= cut && last > 0) above += counts[--last] as number
  return {
    low: Math.min(0, Math.max(min, histogram.lowerEdge(first))),
    high: Math.max(0, Math.min(max, histogram.lowerEdge(last + 1))),
  }
}

/** The least mean square of what rounding and cutting off do to the numbers. */
export function leastErrorRange(histogram: Histogram): Range {
  return search(histogram, squaredError)
}

/** The least Kullback-Leibler divergence of what is kept from what was (Migacz, "8-bit inference with TensorRT", 2017). */
export function leastDivergenceRange(histogram: Histogram): Range {
  return search(histogram, divergence)
}

/** Beginning with everything, each end in turn goes where the cost is least. */
function search(histogram: Histogram, cost: (histogram: Histogram, range: Range) => number): Range {
  const { min, max } = histogram
  let range = minMaxRange(histogram)
  for (let round = 0; round < 2; round++) {
    const { low } = range
    const highs = FRACTIONS.map((fraction) => ({ low, high: max * fraction }))
    const { high } = least(highs, (candidate) => cost(histogram, candidate))
    const lows = FRACTIONS.map((fraction) => ({ low: min * fraction, high }))
    range = least(lows, (candidate) => cost(histogram, candidate))
  }
  return range
}

export const METHODS = {
  minmax: minMaxRange,
  percentile: percentileRange,
  mse: leastErrorRange,
  entropy: leastDivergenceRange,
} as const

export type Method = keyof typeof METHODS

/** The last of equals, which is the widest. */
function least(candidates: Range[], cost: (candidate: Range) => number): Range {
  const costs = candidates.map(cost)
  const lowest = Math.min(...costs)
  return candidates[costs.lastIndexOf(lowest)] as Range
}

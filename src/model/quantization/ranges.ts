import type { Histogram } from './histogram.ts'
import type { Activation } from './quantization.ts'

/** What eight bits are to hold; zero is always inside, for it is what convolutions pad with. */
export interface Range {
  low: number
  high: number
}

/** Steps between the 256 numbers of eight bits. */
const STEPS = 255

/** Share of the numbers that `percentile` keeps on each side of zero. */
const KEPT = 0.9999

/** Taken for the share of what a distribution says never happens. */
const LEAST_SHARE = 1e-9

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

/** The scale is kept to six digits, far finer than a step of eight bits. */
export function toActivation({ low, high }: Range): Activation {
  const scale = Number(((high - low) / STEPS).toPrecision(6))
  // A value that was never but zero may have any scale but zero.
  if (!(scale > 1e-30)) return { scale: 1, zero_point: 0 }
  return { scale, zero_point: clamp(Math.round(-low / scale)) }
}

function clamp(stored: number): number {
  return Math.max(0, Math.min(STEPS, stored))
}

/** The last of equals, which is the widest. */
function least(candidates: Range[], cost: (candidate: Range) => number): Range {
  const costs = candidates.map(cost)
  const lowest = Math.min(...costs)
  return candidates[costs.lastIndexOf(lowest)] as Range
}

function squaredError(histogram: Histogram, range: Range): number {
  const { counts, binWidth } = histogram
  const { scale, zero_point } = toActivation(range)
  let sum = 0
  for (let bin = 0; bin < counts.length; bin++) {
    const count = counts[bin] as number
    if (count === 0) continue
    const value = histogram.lowerEdge(bin) + binWidth / 2
    const error = value - scale * (clamp(Math.round(value / scale) + zero_point) - zero_point)
    sum += count * error * error
  }
  return sum
}

/**
 * Of the histogram with its tails moved to the ends of the range, from the same with the numbers of each step spread
 * evenly over the bins that had any. Zeros are left out: they are exact in any range, and after a ReLU outweigh the rest.
 */
function divergence(histogram: Histogram, range: Range): number {
  const { counts, binWidth } = histogram
  const { scale, zero_point } = toActivation(range)
  const kept = new Float64Array(counts.length)
  const sums = new Float64Array(STEPS + 1)
  const bins = new Float64Array(STEPS + 1)
  const stepOf = (bin: number): number =>
    clamp(Math.round((histogram.lowerEdge(bin) + binWidth / 2) / scale) + zero_point)
  const [first, last] = [Math.floor(range.low / binWidth), Math.ceil(range.high / binWidth) - 1]
  const half = counts.length / 2
  for (let bin = 0; bin < counts.length; bin++) {
    const count = counts[bin] as number
    if (count === 0 || bin === half) continue
    const target = Math.max(first + half, Math.min(last + half, bin))
    if (target !== half) (kept[target] as number) += count
  }
  for (let bin = 0; bin < counts.length; bin++) {
    if ((counts[bin] as number) === 0 || bin === half || bin < first + half || bin > last + half) continue
    const step = stepOf(bin)
    ;(sums[step] as number) += counts[bin] as number
    ;(bins[step] as number)++
  }
  let result = 0
  const [p, q] = [total(kept), total(sums)]
  if (q === 0) return Number.POSITIVE_INFINITY
  for (let bin = 0; bin < counts.length; bin++) {
    const share = (kept[bin] as number) / p
    if (share === 0) continue
    const step = stepOf(bin)
    const spread = (sums[step] as number) / (bins[step] as number) / q
    // What was moved to a step that had nothing of its own is not described at all, which costs much but not everything.
    result += share * Math.log(share / (spread > 0 ? spread : LEAST_SHARE))
  }
  return result
}

function total(values: Float64Array): number {
  let sum = 0
  for (let i = 0; i < values.length; i++) sum += values[i] as number
  return sum
}

import type { Histogram } from './histogram.ts'
import { clamp, type Range, toActivation } from './uint8.ts'

/** Taken for the share of what a distribution says never happens. */
const LEAST_SHARE = 1e-9

/** Sum of the squares of what rounding to the range's steps and cutting off at its ends change. */
export function squaredError(histogram: Histogram, range: Range): number {
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
 * Kullback-Leibler divergence of the histogram with its tails moved to the ends of the range, from the same with the
 * numbers of each step spread evenly over the bins that had any. Zeros are left out: they are exact in any range, and
 * after a ReLU outweigh the rest.
 */
export function divergence(histogram: Histogram, range: Range): number {
  const { counts, binWidth } = histogram
  const { scale, zero_point } = toActivation(range)
  const kept = new Float64Array(counts.length)
  const sums = new Float64Array(256)
  const bins = new Float64Array(256)
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

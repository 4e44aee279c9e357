import type { Histogram } from './histogram.ts'
import { clamp, type Range, toActivation } from './uint8.ts'

/** Fractions of each extreme to try. */
const FRACTIONS = Array.from({ length: 46 }, (_, i) => (10 + 2 * i) / 100)

/**
 * The range with the least mean squared error of rounding and clipping to eight bits. Starting from the full range,
 * each end in turn moves to where the error is least.
 */
export function leastErrorRange(histogram: Histogram): Range {
  const { min, max } = histogram
  /** Of equals the last, which is the widest. */
  const best = (candidates: Range[]): Range => {
    const errors = candidates.map((candidate) => squaredError(histogram, candidate))
    return candidates[errors.lastIndexOf(Math.min(...errors))] as Range
  }
  let range = { low: min, high: max }
  for (let round = 0; round < 2; round++) {
    const { low } = range
    const { high } = best(FRACTIONS.map((fraction) => ({ low, high: max * fraction })))
    range = best(FRACTIONS.map((fraction) => ({ low: min * fraction, high })))
  }
  return range
}

/** Sum of the squared errors of rounding and clipping to the range. */
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

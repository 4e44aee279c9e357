import type { Histogram } from './histogram.ts'
import { clamp, type Range, toActivation } from './uint8.ts'

/** Fractions of the extremes that are tried. */
const FRACTIONS = Array.from({ length: 46 }, (_, i) => (10 + 2 * i) / 100)

/**
 * The range in which eight bits change the numbers least, by the mean square of what rounding and cutting off do to them.
 * Beginning with everything that was seen, each end in turn goes where the error is least.
 */
export function leastErrorRange(histogram: Histogram): Range {
  const { min, max } = histogram
  /** The last of equals, which is the widest. */
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

/** Sum of the squares of what rounding to the range's steps and cutting off at its ends change. */
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

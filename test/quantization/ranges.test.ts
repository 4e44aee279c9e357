import { describe, expect, it } from 'vitest'
import { randomNumbers } from '../../src/engines/random.ts'
import { Histogram } from '../../src/quantization/histogram.ts'
import { leastErrorRange } from '../../src/quantization/ranges.ts'
import { type Range, toActivation } from '../../src/quantization/uint8.ts'

const COUNT = 100_000

function histogramOf(values: Float32Array): Histogram {
  const histogram = new Histogram()
  histogram.add(values)
  return histogram
}

function uniform(low: number, high: number): Float32Array {
  const next = randomNumbers(5)
  return Float32Array.from({ length: COUNT }, () => low + (high - low) * next())
}

/** Standard normal, by the sum of twelve uniform numbers. */
function normal(): Float32Array {
  const next = randomNumbers(9)
  return Float32Array.from({ length: COUNT }, () => {
    let sum = -6
    for (let i = 0; i < 12; i++) sum += next()
    return sum
  })
}

function meanSquaredError(values: Float32Array, range: Range): number {
  const { scale, zero_point } = toActivation(range)
  let sum = 0
  for (const value of values) {
    const stored = Math.max(0, Math.min(255, Math.round(value / scale) + zero_point))
    sum += (value - scale * (stored - zero_point)) ** 2
  }
  return sum / values.length
}

describe('leastErrorRange', () => {
  it('keeps nearly all of a uniform distribution: nothing in it is an outlier', () => {
    const { low, high } = leastErrorRange(histogramOf(uniform(-1, 3)))
    expect(low).toBeGreaterThanOrEqual(-1)
    expect(low).toBeLessThan(-0.9)
    expect(high).toBeLessThanOrEqual(3)
    expect(high).toBeGreaterThan(2.8)
  })

  it('begins at zero where nothing is negative', () => {
    expect(leastErrorRange(histogramOf(uniform(0, 2))).low).toBe(0)
  })

  it('holds zero where everything is far from it', () => {
    expect(leastErrorRange(histogramOf(uniform(5, 6)))).toMatchObject({ low: 0, high: expect.closeTo(6, 1) })
  })

  it('gives a value that was always zero a scale all the same', () => {
    expect(toActivation(leastErrorRange(histogramOf(new Float32Array(10))))).toEqual({ scale: 1, zero_point: 0 })
  })

  it('cuts off outliers where finer steps gain more than the cut loses', () => {
    const values = normal().map((value) => value ** 3)
    const histogram = histogramOf(values)
    const { low, high } = leastErrorRange(histogram)
    expect(high).toBeLessThan(0.9 * histogram.max)
    expect(low).toBeLessThan(0)
    const everything = { low: histogram.min, high: histogram.max }
    expect(meanSquaredError(values, { low, high })).toBeLessThan(meanSquaredError(values, everything))
  })

  it('has no more error than any other cut, as eight bits really round', () => {
    const values = normal().map((value) => (value > 0 ? value ** 3 : value))
    const histogram = histogramOf(values)
    const least = meanSquaredError(values, leastErrorRange(histogram))
    for (const kept of [1, 0.95, 0.8, 0.6, 0.4, 0.2, 0.1]) {
      const cut = { low: histogram.min * kept, high: histogram.max * kept }
      expect(least).toBeLessThanOrEqual(meanSquaredError(values, cut) * 1.001)
    }
  })
})

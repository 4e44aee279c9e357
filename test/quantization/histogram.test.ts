import { describe, expect, it } from 'vitest'
import { Histogram } from '../../src/quantization/histogram.ts'

function histogramOf(...batches: number[][]): Histogram {
  const histogram = new Histogram()
  for (const batch of batches) histogram.add(Float32Array.from(batch))
  return histogram
}

/** Numbers counted in bins that lie within [from, to). */
function countBetween(histogram: Histogram, from: number, to: number): number {
  let count = 0
  for (const [bin, n] of histogram.counts.entries()) {
    if (histogram.lowerEdge(bin) >= from && histogram.lowerEdge(bin) < to) count += n
  }
  return count
}

describe('Histogram', () => {
  it('keeps the exact extremes, zero among them', () => {
    expect(histogramOf([0.3, -0.7], [1.5])).toMatchObject({ min: expect.closeTo(-0.7), max: 1.5, total: 3 })
    expect(histogramOf([2, 3])).toMatchObject({ min: 0, max: 3 })
  })

  it('has an edge at zero, so that positive and negative numbers share no bin', () => {
    const histogram = histogramOf([-1e-6, 1e-6, -1, 1])
    expect(countBetween(histogram, Number.NEGATIVE_INFINITY, 0)).toBe(2)
    expect(countBetween(histogram, 0, Number.POSITIVE_INFINITY)).toBe(2)
  })

  it('loses nothing as its reach grows: each number stays in the bin that covers it', () => {
    const numbers = [0.1, 0.2, 0.9, -0.5, 3.3, -7.7, 40, -90]
    const histogram = histogramOf(...numbers.map((number) => [number]))
    expect(histogram.counts.reduce((sum, count) => sum + count)).toBe(numbers.length)
    for (const number of numbers) {
      expect(countBetween(histogram, number - histogram.binWidth, number + histogram.binWidth)).toBeGreaterThan(0)
    }
    expect(countBetween(histogram, 30, 50)).toBe(1)
    expect(countBetween(histogram, -91, -80)).toBe(1)
  })

  it('counts zeros before anything else was seen as zeros', () => {
    const histogram = histogramOf([0, 0, 0], [8])
    expect(countBetween(histogram, 0, 1)).toBe(3)
  })

  it('is fine enough for eight bits whatever the order of the numbers', () => {
    expect(histogramOf([1], [1.01], [2.5]).binWidth).toBeLessThan(2.5 / 255 / 2)
  })

  it.each([Number.NaN, Number.POSITIVE_INFINITY])('refuses %d', (number) => {
    expect(() => histogramOf([1, number])).toThrow('not finite')
  })
})

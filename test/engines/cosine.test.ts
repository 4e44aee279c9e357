import { describe, expect, it } from 'vitest'
import { cosine, rowCosines } from '../../src/engines/cosine.ts'

describe('cosine', () => {
  it.each([
    [1, 'the same direction', [1, 2], [10, 20]],
    [-1, 'the opposite one', [1, 2], [-1, -2]],
    [0, 'a right angle', [1, 0], [0, 3]],
    [1, 'two vectors of zeros', [0, 0], [0, 0]],
    [0, 'zeros against something', [0, 0], [1, 0]],
  ])('is %d for %s', (expected, _, a, b) => {
    expect(cosine(Float32Array.from(a), Float32Array.from(b))).toBeCloseTo(expected)
  })

  it('is no number where a value is none or missing, so that no bound takes it for good', () => {
    expect(cosine([1, Number.NaN], [1, 1])).toBeNaN()
    expect(cosine([1, 0, 0], [1, 0])).toBeNaN()
  })
})

describe('rowCosines', () => {
  it('compares row with row', () => {
    expect(rowCosines(Float32Array.of(1, 0, 0, 1), Float32Array.of(2, 0, 5, 0), 2)).toEqual([1, 0])
  })
})

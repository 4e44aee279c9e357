import { describe, expect, it } from 'vitest'
import { adaptivePoolMatrix } from '../../src/resnet/layers.ts'

/** PyTorch's start_index and end_index (aten/src/ATen/native/AdaptivePooling.h), in its integer arithmetic. */
function pytorchWindow(band: number, bands: number, size: number): [number, number] {
  const divide = (a: number, b: number): number => Math.trunc(a / b)
  const start = divide(band, bands) * size + divide((band % bands) * size, bands)
  const end = 1 + divide((band + 1) * size - 1, bands)
  return [start, end]
}

const column = (matrix: Float32Array, band: number, bands: number): number[] =>
  [...matrix].filter((_, i) => i % bands === band)

describe('adaptivePoolMatrix', () => {
  it('averages over overlapping windows where the bands do not divide the rows', () => {
    const matrix = adaptivePoolMatrix(7, 4)
    const windows = [0, 1, 2, 3].map((band) => column(matrix, band, 4).map((weight) => (weight > 0 ? 1 : 0)))
    expect(windows).toEqual([
      [1, 1, 0, 0, 0, 0, 0],
      [0, 1, 1, 1, 0, 0, 0],
      [0, 0, 0, 1, 1, 1, 0],
      [0, 0, 0, 0, 0, 1, 1],
    ])
  })

  it('repeats rows where there are fewer than bands', () => {
    expect([...adaptivePoolMatrix(1, 4)]).toEqual([1, 1, 1, 1])
  })

  const cases = [...Array(16).keys()].flatMap((size) => [1, 2, 3, 4, 5].map((bands) => [size + 1, bands] as const))

  it.each(cases)("follows PyTorch's rule for %i rows and %i bands, each band weighing 1 in all", (size, bands) => {
    const matrix = adaptivePoolMatrix(size, bands)
    for (let band = 0; band < bands; band++) {
      const [start, end] = pytorchWindow(band, bands, size)
      const expected = Array.from({ length: size }, (_, row) =>
        row >= start && row < end ? Math.fround(1 / (end - start)) : 0,
      )
      const weights = column(matrix, band, bands)
      expect(weights).toEqual(expected)
      expect(weights.reduce((sum, weight) => sum + weight)).toBeCloseTo(1, 6)
    }
  })
})

import { describe, expect, it } from 'vitest'
import { type Plane, resample } from '../../../src/preprocessing/drawing/resample.ts'

function plane(width: number, height: number, value: (x: number, y: number) => number): Plane {
  const data = Float32Array.from({ length: width * height }, (_, i) => value(i % width, Math.floor(i / width)))
  return { data, width, height }
}

const whole = ({ width, height }: Plane) => ({ left: 0, top: 0, width, height })
const scaled = (source: Plane, width: number, height: number): Plane => resample(source, whole(source), width, height)
const mean = ({ data }: Plane): number => data.reduce((sum, value) => sum + value, 0) / data.length
const pattern = plane(8, 6, (x, y) => ((x * 7 + y * 13) % 10) / 10)

describe('resample', () => {
  it.each([
    [3, 2],
    [8, 6],
    [13, 29],
    [1, 1],
  ])('keeps a constant constant at %i x %i', (width, height) => {
    for (const value of scaled(
      plane(8, 6, () => 0.7),
      width,
      height,
    ).data)
      expect(value).toBeCloseTo(0.7, 6)
  })

  it('changes nothing at the same size', () => {
    const same = scaled(pattern, 8, 6)
    for (const [i, value] of pattern.data.entries()) expect(same.data[i]).toBeCloseTo(value, 6)
  })

  it('lets every source pixel count when shrinking', () => {
    for (let x = 0; x < 12; x++) {
      const dot = scaled(
        plane(12, 1, (column) => (column === x ? 1 : 0)),
        3,
        1,
      )
      expect(Math.max(...dot.data)).toBeGreaterThan(0)
    }
  })

  it('keeps the mean when shrinking a picture whose edges are empty', () => {
    const blob = plane(40, 40, (x, y) => Math.max(0, 1 - Math.hypot(x - 18, y - 22) / 9))
    expect(mean(scaled(blob, 10, 10))).toBeCloseTo(mean(blob), 3)
  })

  it('shrinks and stretches a ramp to a ramp', () => {
    const ramp = plane(16, 1, (x) => x + 0.5)
    const middle = (width: number): number[] => [...scaled(ramp, width, 1).data].slice(width / 4, (3 * width) / 4)
    for (const [i, value] of middle(8).entries()) expect(value).toBeCloseTo((i + 2.5) * 2, 5)
    for (const [i, value] of middle(32).entries()) expect(value).toBeCloseTo((i + 8.5) / 2, 5)
  })

  it('sees nothing outside its box', () => {
    const source = plane(9, 9, (x, y) => (x >= 2 && x < 6 && y >= 3 && y < 8 ? 1 : 100))
    for (const value of resample(source, { left: 2, top: 3, width: 4, height: 5 }, 3, 7).data) {
      expect(value).toBeCloseTo(1, 5)
    }
  })
})

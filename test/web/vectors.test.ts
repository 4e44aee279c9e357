import { describe, expect, it } from 'vitest'
import { cosines, principalPlane, unit } from '../../web/src/vectors.ts'

const vectors = (...rows: number[][]): Float32Array[] => rows.map((row) => Float32Array.from(row))
const distance = (a: number[], b: number[]): number => Math.hypot(...a.map((value, i) => value - (b[i] as number)))

describe('cosines', () => {
  it('is 1 for the same direction, 0 for a right angle, -1 for the opposite', () => {
    const [first, ...others] = cosines(vectors([1, 0], [5, 0], [0, 2], [-3, 0]))
    expect(first).toEqual([1, 1, 0, -1])
    expect(others.map((row) => row[0])).toEqual([1, 0, -1])
  })

  it('is 0 for a vector without a direction', () => {
    expect(cosines(vectors([0, 0], [1, 0]))[0]).toEqual([0, 0])
    expect(unit(new Float32Array(3))).toEqual(new Float32Array(3))
  })
})

describe('the principal plane', () => {
  it('keeps the distances of directions that lie in a plane', () => {
    const rows = vectors([1, 0, 0, 0], [0, 0, 1, 0], [-1, 0, 0, 0], [0.6, 0, 0.8, 0])
    const points = principalPlane(rows)
    for (const [i, a] of rows.entries()) {
      for (const [j, b] of rows.entries()) {
        expect(distance(points[i] as [number, number], points[j] as [number, number])).toBeCloseTo(
          distance([...unit(a)], [...unit(b)]),
          4,
        )
      }
    }
  })

  it('has most of the spread on its first axis, and its first picture on the positive side', () => {
    const points = principalPlane(vectors([9, 1, 0], [-9, 1, 0], [9, 2, 0], [-9, 2, 1]))
    const spread = (axis: 0 | 1): number => points.reduce((sum, point) => sum + point[axis] ** 2, 0)
    expect(spread(0)).toBeGreaterThan(spread(1))
    expect(points[0]?.[0]).toBeGreaterThan(0)
  })

  it('does not depend on how long the vectors are', () => {
    const [near, far] = [vectors([1, 2, 3], [3, 1, 1], [0, 1, 0]), vectors([10, 20, 30], [3, 1, 1], [0, 7, 0])]
    expect(
      principalPlane(near)
        .flat()
        .map((value) => value.toFixed(4)),
    ).toEqual(
      principalPlane(far)
        .flat()
        .map((value) => value.toFixed(4)),
    )
  })

  it.each([
    ['one picture', vectors([1, 2, 3])],
    ['equal pictures', vectors([1, 2, 3], [1, 2, 3], [2, 4, 6])],
    ['empty pictures', vectors([0, 0], [0, 0])],
  ])('puts %s in the middle', (_, rows) => {
    for (const [x, y] of principalPlane(rows))
      expect([Math.abs(x), Math.abs(y)].every((value) => value < 1e-3)).toBe(true)
  })
})

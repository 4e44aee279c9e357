import { describe, expect, it } from 'vitest'
import { median, sides } from '../../../src/preprocessing/drawing/grey-picture.ts'

const picture = (...rows: number[][]) => ({
  data: Uint8Array.from(rows.flat()),
  width: rows[0]?.length ?? 0,
  height: rows.length,
})

describe('sides', () => {
  it('are the outermost rows and columns', () => {
    const { top, bottom, left, right } = sides(picture([1, 2, 3], [4, 5, 6], [7, 8, 9], [10, 11, 12]))
    expect([top, bottom, left, right].map((side) => [...side])).toEqual([
      [1, 2, 3],
      [10, 11, 12],
      [1, 4, 7, 10],
      [3, 6, 9, 12],
    ])
  })

  it('are all the same pixel in a picture of one', () => {
    expect(Object.values(sides(picture([7]))).map((side) => [...side])).toEqual([[7], [7], [7], [7]])
  })
})

describe('median', () => {
  it('is the middle value, whatever their order, and leaves them in theirs', () => {
    const values = Uint8Array.of(200, 3, 10)
    expect(median(values)).toBe(10)
    expect([...values]).toEqual([200, 3, 10])
  })
})

import { describe, expect, it } from 'vitest'
import { invertIfLight, median, sides } from '../../src/preprocessing/grey-picture.ts'

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

describe('invertIfLight', () => {
  it('turns dark ink on a light ground into light on dark', () => {
    const dark = picture([250, 250, 250], [250, 20, 250], [250, 250, 250])
    invertIfLight(dark)
    expect([...dark.data]).toEqual([5, 5, 5, 5, 235, 5, 5, 5, 5])
  })

  it('leaves light ink on a dark ground', () => {
    const light = picture([5, 5, 5], [5, 255, 5], [5, 5, 5])
    invertIfLight(light)
    expect(light.data[4]).toBe(255)
  })

  it('goes by the border alone, and by most of it', () => {
    const mostlyInk = picture([0, 0, 0, 0], [0, 255, 255, 0], [0, 255, 255, 255], [0, 0, 0, 0])
    invertIfLight(mostlyInk)
    expect(mostlyInk.data[5]).toBe(255)
  })
})

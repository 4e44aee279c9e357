import { describe, expect, it } from 'vitest'
import { aboveGround } from '../../../src/preprocessing/drawing/ground.ts'
import { inkSide, invertIfLight } from '../../../src/preprocessing/drawing/polarity.ts'

const picture = (...rows: number[][]) => ({
  data: Uint8Array.from(rows.flat()),
  width: rows[0]?.length ?? 0,
  height: rows.length,
})

/** A square of this grey on a ground of another. */
const square = (ground: number, ink: number) =>
  picture([ground, ground, ground, ground], [ground, ink, ink, ground], [ground, ground, ground, ground])

describe('inkSide', () => {
  it.each([250, 128, 127, 60])('is the side of the ground that the ink lies on, on a ground of %i', (ground) => {
    expect(inkSide(aboveGround(square(ground, ground - 40)))).toBe(-1)
    expect(inkSide(aboveGround(square(ground, ground + 5)))).toBe(1)
    expect(inkSide(aboveGround(square(ground, ground)))).toBe(0)
  })

  it('goes by what differs most from the ground, not by how much of it there is', () => {
    const lit = picture([100, 100, 100, 100], [100, 150, 150, 100], [100, 150, 20, 100], [100, 100, 100, 100])
    expect(inkSide(aboveGround(lit))).toBe(-1)
  })

  it('takes no notice of a few specks', () => {
    const page = { data: new Uint8Array(10_000).fill(200), width: 100, height: 100 }
    page.data.fill(150, 4_010, 4_040)
    page.data.fill(255, 6_020, 6_040)
    expect(inkSide(aboveGround(page))).toBe(-1)
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

  it.each([
    [255, 0],
    [128, 127],
    [127, 127],
    [0, 0],
  ])('makes a picture that is %i all over dark', (grey, expected) => {
    const blank = picture([grey, grey], [grey, grey])
    invertIfLight(blank)
    expect(blank.data[0]).toBe(expected)
  })

  it('goes by the border alone, and by most of it', () => {
    const mostlyInk = picture([0, 0, 0, 0], [0, 255, 255, 0], [0, 255, 255, 255], [0, 0, 0, 0])
    invertIfLight(mostlyInk)
    expect(mostlyInk.data[5]).toBe(255)
  })
})

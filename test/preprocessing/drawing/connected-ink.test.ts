import { describe, expect, it } from 'vitest'
import { connectedInk, findParts } from '../../../src/preprocessing/drawing/connected-ink.ts'

/** Rows of one digit a pixel. */
function ink(...rows: string[]) {
  const data = Float32Array.from([...rows.join('')].map(Number))
  const plane = { data, width: rows[0]?.length ?? 0, height: rows.length }
  return { data, box: (threshold: number) => connectedInk(plane, findParts(plane, threshold)) }
}

describe('connectedInk', () => {
  it('is the rectangle around what reaches the threshold', () => {
    const { box } = ink(
      '000000', //
      '015520',
      '003510',
      '000000',
    )
    expect(box(5)).toEqual({ left: 2, top: 1, width: 2, height: 2 })
    expect(box(2)).toEqual({ left: 2, top: 1, width: 3, height: 2 })
  })

  it('holds all large parts, so the bar of a 5 comes along', () => {
    const { box } = ink(
      '0009990', //
      '0000000',
      '0999000',
      '0009900',
    )
    expect(box(5)).toEqual({ left: 1, top: 0, width: 5, height: 4 })
  })

  it('leaves specks out, and wipes them', () => {
    const { data, box } = ink(
      '9000000', //
      '0009999',
      '0009999',
      '0009999',
      '0009999',
    )
    expect(box(5)).toEqual({ left: 3, top: 1, width: 4, height: 4 })
    expect(data[0]).toBe(0)
    expect(data[10]).toBe(9)
  })

  it('counts pixels that touch at a corner as connected', () => {
    // Apart from the square, the diagonal's pixels would each be a speck.
    const { box } = ink(
      '9999000', //
      '9999000',
      '9999000',
      '9999000',
      '0000900',
      '0000090',
      '0000009',
    )
    expect(box(5)).toEqual({ left: 0, top: 0, width: 7, height: 7 })
  })

  it('does not run from one row’s end to the next row’s start', () => {
    const { box } = ink(
      '99999', //
      '99999',
      '99990',
      '00000',
      '00009',
      '00000',
    )
    expect(box(5)).toEqual({ left: 0, top: 0, width: 5, height: 3 })
  })

  it('finds nothing in a picture without ink', () => {
    expect(ink('000', '000').box(1)).toBeUndefined()
    expect(ink('111', '222').box(3)).toBeUndefined()
  })
})

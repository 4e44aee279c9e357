import { describe, expect, it } from 'vitest'
import { atOnce } from '../../../src/preprocessing/in-turns.ts'
import { photographInput } from '../../../src/preprocessing/photograph/photograph-input.ts'
import type { Pixels } from '../../../src/preprocessing/pixels.ts'
import type { PhotographSpec } from '../../../src/repository/input-spec.ts'

const SPEC: PhotographSpec = {
  height: 4,
  width: 4,
  channels: 'rgb',
  mean: [0, 0, 0],
  std: [1, 1, 1],
  resize: [4, 4],
  interpolation: 'bilinear',
  orientation: 'ignore',
  alpha: 'drop',
}

function noise(width: number, height: number): Pixels {
  let state = 7
  const data = Uint8Array.from({ length: width * height * 3 }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state >>> 24
  })
  return { data, width, height, channels: 3 }
}

const plain = (width: number, height: number, value: number): Pixels => ({
  data: new Uint8Array(width * height * 3).fill(value),
  width,
  height,
  channels: 3,
})

describe('photographInput', () => {
  it.each(['bilinear', 'bicubic', 'nearest'] as const)(
    '%s leaves a picture of the right size as it is',
    (interpolation) => {
      const pixels = noise(4, 4)
      const values = atOnce(photographInput(pixels, { ...SPEC, interpolation }))
      const planes = [0, 1, 2].flatMap((c) => [...pixels.data].filter((_, i) => i % 3 === c))
      expect(Array.from(values, (value) => Math.round(value * 255))).toEqual(planes)
    },
  )

  it.each([
    [1, 1],
    [3, 50],
    [300, 2],
    [4096, 1],
  ])('keeps one colour one colour, whatever the size: %i x %i', (width, height) => {
    for (const interpolation of ['bilinear', 'bicubic', 'nearest'] as const) {
      const values = atOnce(photographInput(plain(width, height, 177), { ...SPEC, interpolation }))
      expect(new Set(Array.from(values, (value) => Math.round(value * 255)))).toEqual(new Set([177]))
    }
  })

  it('stays between black and white where bicubic overshoots', () => {
    const data = Uint8Array.from({ length: 6 * 6 * 3 }, (_, i) => ((i / 3) % 6 < 3 ? 0 : 255))
    const values = atOnce(
      photographInput(
        { data, width: 6, height: 6, channels: 3 },
        { ...SPEC, height: 24, width: 24, resize: [24, 24], interpolation: 'bicubic' },
      ),
    )
    expect([Math.min(...values), Math.max(...values)]).toEqual([0, 1])
  })

  it('works a large picture in pieces, the more the larger', () => {
    const pieces = (pixels: Pixels): number => [...photographInput(pixels, SPEC)].length
    expect(pieces(noise(30, 30))).toBe(0)
    expect(pieces(plain(3000, 1000, 9))).toBeGreaterThan(2)
  })

  it.each([
    ['nearest', [9, 90]],
    ['bilinear', [49, 50]],
  ] as const)(
    '%s gives the middle of a strip, though it is millions of pixels from its edge',
    (interpolation, expected) => {
      const column = plain(1, 30_000, 9)
      column.data.fill(90, 45_000)
      const values = atOnce(photographInput(column, { ...SPEC, resize: 4096, crop: 'center', interpolation }))
      expect([values[0], values[15]].map((value) => Math.round((value as number) * 255))).toEqual(expected)
    },
  )

  it('costs a strip of one pixel no more than its crop, however long it would become', () => {
    const strip = { ...SPEC, resize: 4096, crop: 'center' } as const
    expect([...photographInput(plain(1, 30_000, 9), strip)].length).toBeLessThan(3)
  })
})

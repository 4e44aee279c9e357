import fc from 'fast-check'
import sharp from 'sharp'
import { beforeAll, describe, expect, it } from 'vitest'
import type { GreyPicture } from '../../../src/preprocessing/drawing/grey-picture.ts'
import { fitInk } from '../../../src/preprocessing/drawing/ink.ts'
import { drawDigit } from '../../helpers/drawn-digits.ts'

const FIELD = { height: 28, width: 28, inkSize: 20, invert: 'auto' } as const

/** A 7 in light ink on a dark ground, on a canvas of this size, moved off its centre when it is extended. */
async function seven(size: number, { paper = 12, ink = 240, offCentre = false } = {}): Promise<GreyPicture> {
  const margin = offCentre ? { left: size >> 1, top: size >> 3, right: 0, bottom: size >> 2 } : {}
  const { data, info } = await sharp(await drawDigit(7, { size, pen: 0.05, paper, ink }))
    .extend({ ...margin, background: { r: paper, g: paper, b: paper } })
    .greyscale()
    .raw()
    .toBuffer({ resolveWithObject: true })
  const grey = Uint8Array.from({ length: info.width * info.height }, (_, i) => data[i * info.channels] as number)
  return { data: grey, width: info.width, height: info.height }
}

/** Adds `shade` to every pixel. */
function shaded({ data, width, height }: GreyPicture, shade: (x: number, y: number) => number): GreyPicture {
  const value = (grey: number, i: number): number => grey + shade((i % width) / width, Math.floor(i / width) / height)
  return { data: Uint8Array.from(data, (grey, i) => Math.min(255, Math.max(0, value(grey, i)))), width, height }
}

function meanDifference(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, value, i) => sum + Math.abs(value - (b[i] as number)), 0) / a.length
}

/** Of what is more than a trace, in pixels from the top left corner. */
function measure(field: Float32Array) {
  const dots = [...field].map((value, i) => ({ value, x: (i % 28) + 0.5, y: Math.floor(i / 28) + 0.5 }))
  const seen = dots.filter(({ value }) => value > 0.02)
  const span = (key: 'x' | 'y'): number =>
    Math.max(...seen.map((dot) => dot[key])) - Math.min(...seen.map((dot) => dot[key])) + 1
  const mass = dots.reduce((sum, { value }) => sum + value, 0)
  const centre = (key: 'x' | 'y'): number => dots.reduce((sum, dot) => sum + dot.value * dot[key], 0) / mass
  return { longestSide: Math.max(span('x'), span('y')), x: centre('x'), y: centre('y'), peak: Math.max(...field) }
}

describe('fitInk', () => {
  let reference: Float32Array
  beforeAll(async () => {
    reference = fitInk(await seven(640, { paper: 0, ink: 255 }), FIELD)
  })

  it.each([28, 100, 300, 640])('brings a digit of any place and strength into one form, at %i pixels', async (size) => {
    for (const look of [{}, { offCentre: true }, { paper: 70, ink: 140, offCentre: true }]) {
      const field = fitInk(await seven(size, look), FIELD)
      const { longestSide, x, y, peak } = measure(field)
      expect(longestSide).toBe(20)
      expect(peak).toBe(1)
      expect(Math.abs(x - 14)).toBeLessThan(0.6)
      expect(Math.abs(y - 14)).toBeLessThan(0.6)
      expect(meanDifference(field, reference)).toBeLessThan(size === 28 ? 0.03 : 0.015)
    }
  })

  it.each([
    ['from left to right', (x: number) => 60 * x],
    ['from top to bottom', (_: number, y: number) => 70 * y],
    ['from corner to corner', (x: number, y: number) => 80 - 40 * x - 40 * y],
  ])('takes no notice of a ground that grows lighter %s', async (_, shade) => {
    const field = fitInk(shaded(await seven(300, { ink: 160 }), shade), FIELD)
    expect(meanDifference(field, reference)).toBeLessThan(0.015)
  })

  it('drops a speck in the corner', async () => {
    const picture = await seven(300)
    for (let i = 0; i < 6; i++) picture.data.fill(255, 300 * (4 + i) + 280, 300 * (4 + i) + 286)
    expect(meanDifference(fitInk(picture, FIELD), reference)).toBeLessThan(0.015)
  })

  it.each([0, 128, 255])('gives zeros for a picture that is %i all over', (grey) => {
    const blank = { data: new Uint8Array(900).fill(grey), width: 30, height: 30 }
    expect(fitInk(blank, FIELD)).toEqual(new Float32Array(784))
  })

  it('gives back a picture that has the form already', async () => {
    const form = Uint8Array.from(reference, (value) => Math.round(value * 255))
    const field = fitInk({ data: form, width: 28, height: 28 }, FIELD)
    expect(field).toEqual(Float32Array.from(form, (grey) => grey / 255))
  })

  it('fits ink of one pixel, and ink that fills the picture', () => {
    const dot = new Uint8Array(900)
    dot[433] = 255
    expect(measure(fitInk({ data: dot, width: 30, height: 30 }, FIELD))).toMatchObject({
      longestSide: 20,
      x: 14,
      y: 14,
    })
    const bar = { data: new Uint8Array(100).fill(255, 40, 60), width: 10, height: 10 }
    expect(measure(fitInk(bar, FIELD)).longestSide).toBe(20)
  })

  it('fits a field that is no square', async () => {
    const field = fitInk(await seven(300), { ...FIELD, height: 20, width: 40, inkSize: 16 })
    expect(field).toHaveLength(800)
    const rows = [...Array(20).keys()].filter((y) => field.slice(y * 40, (y + 1) * 40).some((value) => value > 0.02))
    expect(rows).toHaveLength(16)
  })

  it('gives values from 0 to 1 for any picture', () => {
    const sizes = fc.record({ width: fc.integer({ min: 1, max: 40 }), height: fc.integer({ min: 1, max: 40 }) })
    const pictures = sizes.chain(({ width, height }) =>
      fc
        .uint8Array({ minLength: width * height, maxLength: width * height })
        .map((data) => ({ data: Uint8Array.from(data), width, height })),
    )
    fc.assert(
      fc.property(pictures, (picture) => fitInk(picture, FIELD).every((value) => value >= 0 && value <= 1.0001)),
      { numRuns: 300 },
    )
  })
})

import { describe, expect, it } from 'vitest'
import { cropStart, resizedSize } from '../../../src/preprocessing/photograph/geometry.ts'

describe('resizedSize', () => {
  it.each([
    [640, 480, 341],
    [480, 640, 341],
    [333, 500, 384],
    [256, 256, 256],
    [1, 37, 9472],
    [700, 9, 19911],
  ])('makes the shortest edge of %i x %i 256 pixels, and rounds the other down to %i', (width, height, longer) => {
    const expected = width <= height ? { width: 256, height: longer } : { width: longer, height: 256 }
    expect(resizedSize({ width, height }, 256)).toEqual(expected)
  })

  it('takes height and width as they are, whatever the picture', () => {
    expect(resizedSize({ width: 7, height: 900 }, [16, 20])).toEqual({ width: 20, height: 16 })
  })
})

describe('cropStart', () => {
  it.each([
    [256, 224, 16],
    [224, 224, 0],
    // Half pixels go to the even neighbour: 58.5, 59.5, 0.5.
    [341, 224, 58],
    [343, 224, 60],
    [225, 224, 0],
    [227, 224, 2],
  ])('of %i pixels takes %i from %i on', (size, crop, start) => {
    expect(cropStart(size, crop)).toBe(start)
  })

  it.each([
    [341, 224, 58],
    [343, 224, 59],
    [342, 224, 59],
    [225, 224, 0],
    [200, 224, -12],
  ])('of %i pixels takes %i from %i on where half pixels are rounded down, as by transformers', (size, crop, start) => {
    expect(cropStart(size, crop, 'center-floor')).toBe(start)
  })

  it.each([
    [200, 224, -12],
    [199, 224, -12],
    [1, 224, -111],
  ])('puts black around %i pixels where %i are needed', (size, crop, start) => {
    expect(cropStart(size, crop)).toBe(start)
  })
})

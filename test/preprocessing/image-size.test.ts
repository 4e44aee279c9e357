import sharp from 'sharp'
import { describe, expect, it } from 'vitest'
import { formatOf } from '../../src/preprocessing/image-format.ts'
import { imageSize } from '../../src/preprocessing/image-size.ts'

const canvas = (width: number, height: number, channels: 3 | 4 = 3) =>
  sharp({ create: { width, height, channels, background: { r: 90, g: 20, b: 200, alpha: 0.5 } } })

describe('imageSize', () => {
  it.each([
    ['PNG', (w: number, h: number) => canvas(w, h).png()],
    ['interlaced PNG', (w: number, h: number) => canvas(w, h).png({ progressive: true })],
    ['JPEG', (w: number, h: number) => canvas(w, h).jpeg()],
    ['progressive JPEG', (w: number, h: number) => canvas(w, h).jpeg({ progressive: true })],
    [
      'JPEG with metadata and a turn',
      (w: number, h: number) => canvas(w, h).jpeg().withMetadata({ orientation: 6 }).withIccProfile('srgb'),
    ],
    ['lossy WebP', (w: number, h: number) => canvas(w, h).webp()],
    ['lossless WebP', (w: number, h: number) => canvas(w, h, 4).webp({ lossless: true })],
    ['WebP with alpha and metadata', (w: number, h: number) => canvas(w, h, 4).webp().withMetadata()],
  ])('reads what a %s says of itself', async (_name, make) => {
    for (const [width, height] of [
      [1, 1],
      [257, 3],
      [4000, 1025],
    ] as const) {
      const bytes = await make(width, height).toBuffer()
      const format = formatOf(bytes)
      expect(imageSize(bytes, format)).toEqual({ width, height })
      // As it lies in the middle of a multipart body.
      expect(imageSize(Buffer.concat([Buffer.alloc(3), bytes]).subarray(3), format)).toEqual({ width, height })
    }
  })

  it('knows CMYK from colours', async () => {
    const inks = await canvas(9, 7).toColourspace('cmyk').jpeg().toBuffer()
    expect(imageSize(inks, 'jpeg')).toEqual({ width: 9, height: 7, isCmyk: true })
  })

  it('finds none in what is cut off before it, and does not run on', async () => {
    for (const format of ['png', 'jpeg', 'webp'] as const) {
      const bytes = await canvas(9, 9).toFormat(format).toBuffer()
      for (let length = 0; length < 16; length++) expect(imageSize(bytes.subarray(0, length), format)).toBeUndefined()
    }
    expect(imageSize(Buffer.from('RIFF\0\0\0\0WEBPJUNK'), 'webp')).toBeUndefined()
    expect(imageSize(Buffer.from([0xff, 0xd8, 0xff, 0xff, 0xff, 0xff]), 'jpeg')).toBeUndefined()
  })
})

import fc from 'fast-check'
import sharp from 'sharp'
import { describe, expect, it } from 'vitest'
import { toGrey } from '../../src/preprocessing/drawing/to-grey.ts'
import { imageSize } from '../../src/preprocessing/image-size.ts'
import { readSmallPng } from '../../src/preprocessing/small-png.ts'
import { chunk, type PngHeader, pixelChunk, writePng } from '../helpers/png.ts'

/** Noise over a gradient, so that encoders choose among all five filters. */
function pixels(width: number, height: number, channels: number, seed: number): Buffer {
  return Buffer.from(
    Array.from({ length: width * height * channels }, (_, i) => (i * 3 + ((i * seed * 7919) % 31) * (seed % 5)) % 256),
  )
}

function encode(raw: Buffer, width: number, height: number, channels: 1 | 2 | 3 | 4): Promise<Buffer> {
  const grey = channels < 3 ? 'b-w' : 'srgb'
  return sharp(raw, { raw: { width, height, channels } })
    .toColourspace(grey)
    .png({ adaptiveFiltering: true })
    .toBuffer()
}

interface Parts extends Partial<PngHeader> {
  raw?: Buffer
  before?: Buffer[]
}

/** A PNG of 3 x 2 with filter 0, changed as told. */
function png({ raw = Buffer.from([0, 1, 2, 3, 0, 4, 5, 6]), before = [], ...header }: Parts = {}): Buffer {
  return writePng({ width: 3, height: 2, ...header }, [...before, pixelChunk(raw)])
}

const sizeOf = (file: Buffer) => imageSize(file, 'png') ?? { width: 3, height: 2 }
const read = (file: Buffer) => readSmallPng(file, sizeOf(file))

describe('readSmallPng', () => {
  it.each([1, 2, 3, 4] as const)('reads what sharp reads, %i channels, whatever the filters', async (channels) => {
    for (let seed = 1; seed <= 12; seed++) {
      const [width, height] = [5 + seed, 20 - seed]
      const file = await encode(pixels(width, height, channels, seed), width, height, channels)
      const { data, info } = await sharp(file).raw().toBuffer({ resolveWithObject: true })
      const rgb = { data, width: info.width, height: info.height, channels: info.channels }
      const ours = read(file)
      expect(ours?.channels).toBe(channels)
      expect(ours && toGrey(ours)).toEqual(toGrey(rgb))
    }
  })

  it('reads each of the five filters as the specification has it', () => {
    const raw = Buffer.from([0, 10, 20, 30, 1, 1, 1, 1, 2, 5, 5, 5, 3, 2, 2, 2, 4, 1, 1, 1])
    expect([...(read(png({ height: 5, raw }))?.data ?? [])]).toEqual([10, 20, 30, 1, 2, 3, 6, 7, 8, 5, 8, 10, 6, 9, 11])
  })

  it('reads data that is split over several chunks', async () => {
    const file = png()
    const whole = file.subarray(file.indexOf('IDAT') + 4, file.indexOf('IEND') - 8)
    const split = Buffer.concat([
      file.subarray(0, file.indexOf('IDAT') - 4),
      chunk('IDAT', whole.subarray(0, 3)),
      chunk('IDAT', whole.subarray(3)),
      chunk('IEND', Buffer.alloc(0)),
    ])
    expect(read(split)).toEqual(read(file))
  })

  it.each([
    ['of another depth', png({ depth: 16, raw: Buffer.alloc(14) })],
    ['with a palette', png({ colourType: 3 })],
    ['interlaced', png({ interlace: 1 })],
    ['without pixels', png({ width: 0 })],
    ['with a colour profile', png({ before: [chunk('iCCP', Buffer.alloc(4))] })],
    ['with a gamma', png({ before: [chunk('gAMA', Buffer.alloc(4))] })],
    ['with an orientation', png({ before: [chunk('eXIf', Buffer.alloc(8))] })],
    ['with transparency by colour', png({ before: [chunk('tRNS', Buffer.alloc(2))] })],
    ['with an unknown filter', png({ raw: Buffer.from([9, 1, 2, 3, 0, 4, 5, 6]) })],
    ['with too few pixels', png({ raw: Buffer.from([0, 1, 2, 3]) })],
    ['with too many pixels', png({ raw: Buffer.alloc(1_000_000) })],
    ['with a second header', png({ before: [png().subarray(8, 33)] })],
    [
      'whose data is not in one place',
      png({ before: [chunk('IDAT', Buffer.alloc(0)), chunk('tEXt', Buffer.alloc(0))] }),
    ],
    ['of many empty chunks', png({ before: new Array(100).fill(chunk('IDAT', Buffer.alloc(0))) })],
    ['with much beside its pixels', png({ before: [chunk('tEXt', Buffer.alloc(100_000))] })],
    ['without an end', png().subarray(0, -12)],
    ['followed by something else', Buffer.concat([png(), Buffer.from('%PDF')])],
    ['of no bytes', Buffer.alloc(0)],
  ])('leaves to sharp a file %s', (_, file) => {
    expect(read(file)).toBeUndefined()
  })

  it('leaves to sharp a file with any bit flipped, or reads the same picture', () => {
    const file = png()
    const picture = read(file)
    fc.assert(
      fc.property(fc.nat(file.length * 8 - 1), (bit) => {
        const damaged = Buffer.from(file)
        damaged[bit >> 3] = (damaged[bit >> 3] as number) ^ (1 << (bit & 7))
        // The signature is checked before this function is called.
        const answer = readSmallPng(damaged, sizeOf(file))
        if (bit >= 64) expect(answer).toBeUndefined()
        else expect([undefined, picture]).toContainEqual(answer)
      }),
      { numRuns: 800 },
    )
  })

  it('never throws, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => void readSmallPng(bytes, { width: 3, height: 2 })),
    )
  })
})

import sharp, { type Sharp } from 'sharp'
import { describe, expect, it } from 'vitest'
import { ImageDecoder } from '../../src/preprocessing/image-decoder.ts'
import type { DrawingSpec, PhotographSpec } from '../../src/repository/input-spec.ts'
import { drawDigit } from '../helpers/drawn-digits.ts'
import { pixelChunk, writePng } from '../helpers/png.ts'

const LIMITS = { maxSide: 2000, maxPixels: 10_000, timeoutS: 10, maxPending: 8 }
const decoder = new ImageDecoder(LIMITS)

function spec(changes: Partial<DrawingSpec> = {}): DrawingSpec {
  const shape = { height: 10, width: 10, channels: 'grey' } as const
  return { ...shape, mean: [0], std: [1], fit: 'fill', invert: 'never', inkSize: 8, ...changes }
}

/** 40 x 20 unless told, light where `isLight` says. */
function picture(isLight: (x: number, y: number) => boolean, width = 40, height = 20): Sharp {
  const data = Buffer.from(
    Array.from({ length: width * height }, (_, i) => (isLight(i % width, Math.floor(i / width)) ? 255 : 0)),
  )
  return sharp(data, { raw: { width, height, channels: 1 } })
}

const leftIsLight = () => picture((x) => x < 20)
const light = () => picture(() => true)

/** Values at (x, y) of the decoded picture, to two digits. */
async function decode(bytes: Uint8Array, changes: Partial<DrawingSpec> = {}) {
  const values = await decoder.decode(bytes, spec(changes))
  const width = changes.width ?? 10
  return { values, at: (x: number, y: number) => Math.round((values[y * width + x] as number) * 100) / 100 }
}

/** One bit for each pixel, which sharp would not write without having all of them. */
function blackPng(width: number, height: number): Buffer {
  return writePng({ width, height, depth: 1 }, [pixelChunk(Buffer.alloc(height * (1 + width / 8)))])
}

/** A JPEG of a 3. */
const jpeg = async (): Promise<Buffer> =>
  sharp(await drawDigit(3, { size: 90, pen: 0.04, paper: 255, ink: 0 }))
    .jpeg()
    .toBuffer()

/** Markers of JPEG (ITU-T T.81, table B.1). */
const [SOF, DHT, SOS] = [0xc0, 0xc4, 0xda].map((marker) => Buffer.of(0xff, marker)) as [Buffer, Buffer, Buffer]

/** Where the scan's data begins. */
const scanOf = (file: Buffer): number => file.indexOf(SOS) + 2 + file.readUInt16BE(file.indexOf(SOS) + 2)

/** Puts bytes into the file. */
const insert = (file: Buffer, at: number, bytes: string): Buffer =>
  Buffer.concat([file.subarray(0, at), Buffer.from(bytes, 'latin1'), file.subarray(at)])

/** What cameras and editors write, and Pillow and browsers read. */
const HARMLESS = {
  // The last three bytes of a sequential scan's header have one right value: 0, 63, 0.
  "Samsung's scan parameters": (file: Buffer) => file.fill(0, scanOf(file) - 2, scanOf(file)),
  'JFIF 3.01': (file: Buffer) => insert(file, 2, '\xff\xe0\x00\x10JFIF\0\x03\x01\0\0\x01\0\x01\0\0'),
  'stray bytes between segments': (file: Buffer) => insert(file, file.indexOf(SOF), '\x00\xff\x00\x11'),
  'an Exif segment of nonsense': (file: Buffer) =>
    insert(file, 2, '\xff\xe1\x00\x12Exif\0\0MM\0*\xff\xff\xff\xf0\x12\x34'),
  'an Exif segment that is cut short': (file: Buffer) => insert(file, 2, '\xff\xe1\x00\x0cExif\0\0II*\0'),
}

const failsWith = (code: string) => expect.objectContaining({ name: 'ServeError', code })

describe('ImageDecoder', () => {
  it.each(['png', 'jpeg', 'webp'] as const)('decodes %s to height x width, normalised', async (format) => {
    const bytes = await leftIsLight().toFormat(format).toBuffer()
    const { values, at } = await decode(bytes, { height: 6, width: 8, mean: [0.5], std: [0.25] })
    expect(values).toBeInstanceOf(Float32Array)
    expect(values).toHaveLength(48)
    const corners = (
      [
        [0, 0],
        [0, 5],
        [7, 0],
        [7, 5],
      ] as const
    ).map(([x, y]) => Math.round(at(x, y) * 10) / 10)
    expect(corners).toEqual([2, 2, -2, -2])
  })

  it('fill stretches the whole picture', async () => {
    const { at } = await decode(await leftIsLight().png().toBuffer(), { fit: 'fill' })
    expect([at(0, 0), at(3, 9), at(6, 0), at(9, 9)]).toEqual([1, 1, 0, 0])
  })

  it('contain keeps the proportions, between bars of black', async () => {
    const wide = await picture(() => true, 40, 16)
      .png()
      .toBuffer()
    const { at } = await decode(wide, { fit: 'contain', mean: [0.5], std: [0.5] })
    expect([0, 2, 3, 6, 7, 9].map((y) => at(5, y))).toEqual([-1, -1, 1, 1, -1, -1])
    const tall = await picture(() => true, 16, 40)
      .png()
      .toBuffer()
    const { at: atTall } = await decode(tall, { fit: 'contain' })
    expect([0, 2, 3, 6, 7, 9].map((x) => atTall(x, 5))).toEqual([0, 0, 1, 1, 0, 0])
  })

  it('cover keeps the proportions, and cuts off what sticks out', async () => {
    const bytes = await picture((x) => x >= 10 && x < 30)
      .png()
      .toBuffer()
    const { at } = await decode(bytes, { fit: 'cover' })
    expect([at(1, 0), at(5, 5), at(8, 9)]).toEqual([1, 1, 1])
    expect((await decode(bytes, { fit: 'fill' })).at(1, 5)).toBe(0)
  })

  it('ink finds a small dark drawing on light paper, and brings it into the form the model knows', async () => {
    const drawn = await drawDigit(7, { size: 100, pen: 0.04, paper: 230, ink: 40 })
    const { values } = await decode(drawn, { fit: 'ink', invert: 'auto', height: 28, width: 28, inkSize: 20 })
    expect(Math.max(...values)).toBe(1)
    expect(values.filter((value) => value === 0).length).toBeGreaterThan(400)
    const rows = [...Array(28).keys()].filter((y) => values.slice(y * 28, (y + 1) * 28).some((value) => value > 0))
    expect(rows).toHaveLength(20)
  })

  it('inverts a light ground only when the model wants it', async () => {
    const bytes = await light().png().toBuffer()
    expect((await decode(bytes, { invert: 'never' })).at(5, 5)).toBe(1)
    expect((await decode(bytes, { invert: 'auto' })).at(5, 5)).toBe(0)
  })

  it('sees black strokes on a transparent canvas', async () => {
    const pixels = Buffer.alloc(10 * 10 * 4)
    for (let y = 3; y < 7; y++) pixels.fill(Buffer.from([0, 0, 0, 255]), (y * 10 + 3) * 4, (y * 10 + 7) * 4)
    const canvas = await sharp(pixels, { raw: { width: 10, height: 10, channels: 4 } })
      .png()
      .toBuffer()
    const { at } = await decode(canvas, { invert: 'auto' })
    expect([at(5, 5), at(0, 0)]).toEqual([1, 0])
  })

  it("honours a photo's orientation", async () => {
    const turned = await leftIsLight().withMetadata({ orientation: 6 }).jpeg().toBuffer()
    const { at } = await decode(turned)
    expect([at(1, 1), at(8, 1), at(1, 8), at(8, 8)]).toEqual([1, 1, 0, 0])
  })

  it('reads 16-bit greys', async () => {
    const raw = { width: 10, height: 10, channels: 1 } as const
    const bytes = await sharp(new Uint16Array(100).fill(0x8080), { raw }).toColourspace('grey16').png().toBuffer()
    expect((await sharp(bytes).metadata()).depth).toBe('ushort')
    expect((await decode(bytes)).at(5, 5)).toBe(0.5)
  })

  it('reads a palette', async () => {
    const bytes = await leftIsLight().png({ palette: true }).toBuffer()
    expect((await sharp(bytes).metadata()).isPalette).toBe(true)
    const { at } = await decode(bytes)
    expect([at(1, 5), at(8, 5)]).toEqual([1, 0])
  })

  it.each(Object.entries(HARMLESS))('reads a JPEG with %s like one without', async (_, harm) => {
    const clean = await jpeg()
    const harmed = harm(Buffer.from(clean))
    expect(harmed.equals(clean)).toBe(false)
    expect(await decoder.decode(harmed, spec())).toEqual(await decoder.decode(clean, spec()))
  })

  it.each([
    ['that ends in its scan', (file: Buffer) => file.subarray(0, scanOf(file) + 100)],
    ['that ends before its scan', (file: Buffer) => file.subarray(0, scanOf(file) - 4)],
    ['whose scan is overwritten', (file: Buffer) => file.fill(0xff, scanOf(file) + 40)],
    [
      'without its frame header',
      (file: Buffer) => Buffer.concat([file.subarray(0, file.indexOf(SOF)), file.subarray(file.indexOf(DHT))]),
    ],
  ])('refuses a JPEG %s', async (_, harm) => {
    const damaged = harm(Buffer.from(await jpeg()))
    await expect(decoder.decode(damaged, spec())).rejects.toThrow(failsWith('undecodable_image'))
  })

  it('refuses a JPEG that is too wide, whatever stands between its segments', async () => {
    const wide = await picture(() => true, 2001, 1)
      .jpeg()
      .toBuffer()
    const harmed = HARMLESS['stray bytes between segments'](wide)
    await expect(decoder.decode(harmed, spec())).rejects.toThrow(failsWith('image_too_large'))
  })

  it.each(['png', 'jpeg', 'webp'] as const)('refuses a %s that is cut off', async (format) => {
    const whole = await drawDigit(3, { size: 90, pen: 0.04, paper: 255, ink: 0 })
    const bytes = await sharp(whole).toFormat(format).toBuffer()
    const half = bytes.subarray(0, bytes.length / 2)
    await expect(decoder.decode(half, spec())).rejects.toThrow(failsWith('undecodable_image'))
  })

  it('refuses a picture with a bit flipped', async () => {
    const bytes = await leftIsLight().png().toBuffer()
    const at = bytes.indexOf('IDAT') + 8
    bytes.writeUInt8(bytes.readUInt8(at) ^ 0x10, at)
    await expect(decoder.decode(bytes, spec())).rejects.toThrow(failsWith('undecodable_image'))
  })

  it('refuses no bytes, and bytes that are no picture', async () => {
    await expect(decoder.decode(new Uint8Array(0), spec())).rejects.toThrow(failsWith('undecodable_image'))
    await expect(decoder.decode(Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'), spec())).rejects.toThrow(
      failsWith('undecodable_image'),
    )
  })

  it('refuses a picture of more pixels than allowed, and takes one of just as many', async () => {
    const [most, more] = await Promise.all(
      [100, 101].map((width) =>
        picture(() => true, width, 100)
          .png()
          .toBuffer(),
      ),
    )
    expect(await decoder.decode(most as Buffer, spec())).toHaveLength(100)
    await expect(decoder.decode(more as Buffer, spec())).rejects.toThrow(failsWith('image_too_large'))
  })

  it('refuses a picture that is wider or higher than allowed, however few its pixels', async () => {
    for (const [width, height] of [
      [2001, 1],
      [1, 2001],
    ]) {
      const bytes = await picture(() => true, width, height)
        .png()
        .toBuffer()
      await expect(decoder.decode(bytes, spec())).rejects.toThrow(failsWith('image_too_large'))
    }
    const most = await picture(() => true, 2000, 1)
      .png()
      .toBuffer()
    expect(await decoder.decode(most, spec())).toHaveLength(100)
  })

  it('refuses a bomb without decoding it: 31 kilobytes of PNG that would be 256 megapixels', async () => {
    const side = 16_000
    const bomb = blackPng(side, side)
    expect(await sharp(bomb).metadata()).toMatchObject({ format: 'png', width: side, height: side })
    expect(bomb.length).toBeLessThan(32_000)
    const roomy = new ImageDecoder({ ...LIMITS, maxSide: 32_768, maxPixels: 50_000_000 })
    await expect(roomy.decode(bomb, spec())).rejects.toThrow(failsWith('image_too_large'))
    await expect(decoder.decode(bomb, spec())).rejects.toThrow(failsWith('image_too_large'))
  })

  it.each(['gif', 'tiff', 'avif'] as const)('refuses a real %s, and no loader would take it', async (format) => {
    const bytes = await light().toFormat(format).toBuffer()
    await expect(decoder.decode(bytes, spec())).rejects.toThrow(failsWith('unsupported_image_format'))
    await expect(sharp(bytes).metadata()).rejects.toThrow()
  })

  it('refuses SVG and PDF, and no loader would take SVG', async () => {
    const svg = Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>')
    for (const bytes of [svg, Buffer.from('%PDF-1.7\n')]) {
      await expect(decoder.decode(bytes, spec())).rejects.toThrow(failsWith('unsupported_image_format'))
    }
    await expect(sharp(svg).metadata()).rejects.toThrow()
  })

  it('refuses at once when as many pictures as allowed are being decoded, and not after', async () => {
    const bounded = new ImageDecoder({ ...LIMITS, maxPending: 2 })
    const bytes = await light().png().toBuffer()
    const damaged = bytes.subarray(0, 50)
    const outcomes = await Promise.allSettled([bytes, damaged, bytes].map((each) => bounded.decode(each, spec())))
    expect(outcomes).toMatchObject([
      { status: 'fulfilled' },
      { reason: { code: 'undecodable_image' } },
      { reason: { code: 'queue_full', retryAfterS: 1 } },
    ])
    expect(await Promise.all([bounded.decode(bytes, spec()), bounded.decode(bytes, spec())])).toHaveLength(2)
  })
})

describe('ImageDecoder, for a model that reads photographs', () => {
  const PHOTOGRAPH: PhotographSpec = {
    height: 10,
    width: 10,
    channels: 'rgb',
    mean: [0, 0, 0],
    std: [1, 1, 1],
    resize: 12,
    interpolation: 'bilinear',
    crop: 'center',
    orientation: 'ignore',
    alpha: 'drop',
  }
  const red = (width: number, height: number): Sharp =>
    sharp({ create: { width, height, channels: 3, background: { r: 255, g: 0, b: 0 } } })

  it.each(['png', 'jpeg', 'webp'] as const)('decodes a %s to three planes', async (format) => {
    const bytes = await red(30, 20).toFormat(format, { quality: 100, lossless: true }).toBuffer()
    const values = await decoder.decode(bytes, PHOTOGRAPH)
    expect(values).toHaveLength(300)
    expect(values[50]).toBeGreaterThan(0.99)
    expect(Math.max(...values.subarray(100))).toBeLessThan(0.01)
  })

  it.each(['png', 'jpeg', 'webp'] as const)('refuses a %s that is cut off, small or large', async (format) => {
    for (const size of [12, 40, 100]) {
      const whole = await drawDigit(3, { size, pen: 0.04, paper: 255, ink: 0 })
      const bytes = await sharp(whole).toFormat(format).toBuffer()
      const half = bytes.subarray(0, bytes.length / 2)
      await expect(decoder.decode(half, PHOTOGRAPH)).rejects.toThrow(failsWith('undecodable_image'))
    }
  })

  it('refuses bombs without decoding them, and pictures of more pixels or longer sides than allowed', async () => {
    const roomy = new ImageDecoder({ ...LIMITS, maxSide: 32_768, maxPixels: 50_000_000 })
    await expect(roomy.decode(blackPng(16_000, 16_000), PHOTOGRAPH)).rejects.toThrow(failsWith('image_too_large'))
    await expect(decoder.decode(await red(101, 100).png().toBuffer(), PHOTOGRAPH)).rejects.toThrow(
      failsWith('image_too_large'),
    )
    await expect(decoder.decode(await red(2001, 1).jpeg().toBuffer(), PHOTOGRAPH)).rejects.toThrow(
      failsWith('image_too_large'),
    )
    expect(await decoder.decode(await red(2000, 1).jpeg().toBuffer(), PHOTOGRAPH)).toHaveLength(300)
  })

  it('trusts no header: a JPEG that claims other sides or channels than it has is decoded or refused', async () => {
    const bytes = await red(120, 80).jpeg().toBuffer()
    const frame = bytes.indexOf(SOF)
    for (const [at, value] of [
      [5, 1],
      [7, 255],
      [9, 4],
      [9, 1],
    ] as const) {
      const lying = Buffer.from(bytes)
      lying[frame + at] = value
      const outcome = await decoder.decode(lying, PHOTOGRAPH).catch((error: { code?: string }) => error.code)
      expect([expect.any(Float32Array), 'undecodable_image', 'image_too_large']).toContainEqual(outcome)
    }
  })

  it('turns a photograph upright only where the model was trained so', async () => {
    // Red on the left, and on top once it is upright.
    const half = { input: await red(20, 20).png().toBuffer(), left: 0, top: 0 }
    const canvas = sharp({ create: { width: 40, height: 20, channels: 3, background: '#000' } })
    const turned = await canvas.composite([half]).withMetadata({ orientation: 6 }).jpeg().toBuffer()
    const at = (values: Float32Array, x: number, y: number): number => Math.round(values[y * 10 + x] as number)
    const square: PhotographSpec = { ...PHOTOGRAPH, resize: [12, 12] }
    const ignored = await decoder.decode(turned, square)
    expect([at(ignored, 1, 8), at(ignored, 8, 1)]).toEqual([1, 0])
    const upright = await decoder.decode(turned, { ...square, orientation: 'exif' })
    expect([at(upright, 1, 8), at(upright, 8, 1)]).toEqual([0, 1])
  })

  it('turns a large one upright before it is reduced', async () => {
    const half = { input: await red(50, 40).png().toBuffer(), left: 0, top: 0 }
    const canvas = sharp({ create: { width: 100, height: 40, channels: 3, background: '#000' } })
    const turned = await canvas.composite([half]).withMetadata({ orientation: 6 }).jpeg().toBuffer()
    const tiny: PhotographSpec = { ...PHOTOGRAPH, height: 6, width: 6, resize: 6, orientation: 'exif' }
    const values = await decoder.decode(turned, tiny)
    // The crop is in the middle of a picture of 40 x 100, where red ends.
    expect([values[3], values[33]].map((value) => Math.round(value as number))).toEqual([1, 0])
  })
})

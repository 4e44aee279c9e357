import { readdirSync, readFileSync } from 'node:fs'
import sharp from 'sharp'
import { describe, expect, it } from 'vitest'
import { ImageDecoder } from '../../../src/preprocessing/image-decoder.ts'
import { inputLength, type PhotographSpec } from '../../../src/repository/input-spec.ts'
import { greyPng } from '../../helpers/pictures.ts'

/** Written by training/picture_fixtures.py, with what Pillow and torchvision make of each. */
const FOLDER = new URL('../../fixtures/pictures/', import.meta.url)
const [HEIGHT, WIDTH, SHORTEST_EDGE] = [16, 20, 24]

const PICTURES = readdirSync(FOLDER).filter((name) => name !== 'expected')
const INTERPOLATIONS = ['bilinear', 'bicubic', 'nearest'] as const

interface Case {
  name: string
  file: string
  changes: Partial<PhotographSpec>
}

const CASES: Case[] = [
  ...PICTURES.map((file) => ({ name: file, file, changes: {} })),
  ...['alpha.png', 'grey-alpha.png', 'palette-alpha.png', '16-bit-alpha.png'].map((file) => {
    return { name: `${file}-on-white`, file, changes: { alpha: 'white' as const } }
  }),
  { name: 'alpha.webp-on-black', file: 'alpha.webp', changes: { alpha: 'black' } },
  { name: 'turned.jpg-upright', file: 'turned.jpg', changes: { orientation: 'exif' } },
  { name: 'photograph.png-smaller-than-the-crop', file: 'photograph.png', changes: { resize: 13 } },
]

/** The only one so large that sharp reduces it first. */
const REDUCED = 'large.jpg'
/** Of 255: what is allowed between the input here and the one that the model was trained on. */
const LIKENESS = 0.5

const decoder = new ImageDecoder({ maxPixels: 1_000_000, maxSide: 5000, timeoutS: 10, maxPending: 100 })

function spec(changes: Partial<PhotographSpec>): PhotographSpec {
  const how = { resize: SHORTEST_EDGE, crop: 'center', interpolation: 'bilinear' } as const
  const shape = { height: HEIGHT, width: WIDTH, channels: 'rgb', mean: [0, 0, 0], std: [1, 1, 1] } as const
  return { ...how, orientation: 'ignore', alpha: 'drop', ...shape, mean: [0, 0, 0], std: [1, 1, 1], ...changes }
}

/** The input as bytes, channel by channel. */
async function decode(bytes: Buffer, changes: Partial<PhotographSpec>): Promise<number[]> {
  const asked = spec(changes)
  const input = await decoder.decode(bytes, asked)
  expect(input).toHaveLength(inputLength(asked))
  return Array.from(input, (value) => Math.round(value * 255))
}

/** One tile of a sheet of what is expected, channel by channel. */
async function tile(name: string, row: number, column: number, channels: number): Promise<number[]> {
  const data = await sharp(readFileSync(new URL(`expected/${name}.png`, FOLDER)))
    .extract({ left: column * WIDTH, top: row * HEIGHT, width: WIDTH, height: HEIGHT })
    .toColourspace('srgb')
    .raw()
    .toBuffer()
  return Array.from({ length: channels }, (_, c) => [...data].filter((_, i) => i % 3 === c)).flat()
}

function differences(actual: number[], expected: number[]): { mean: number; largest: number } {
  const each = expected.map((value, i) => Math.abs(value - (actual[i] as number)))
  return { mean: each.reduce((sum, value) => sum + value, 0) / each.length, largest: Math.max(...each) }
}

/** The two ways to the model's size, in the order of a sheet's columns. */
const WAYS: [string, Partial<PhotographSpec>][] = [
  ['shortest edge and centre crop', {}],
  ['height and width', { resize: [HEIGHT, WIDTH] }],
]

describe.each(CASES)('$name', ({ name, file, changes }) => {
  const bytes = readFileSync(new URL(file, FOLDER))
  const most = file === REDUCED ? { mean: LIKENESS, largest: 10 } : { mean: 0, largest: 0 }

  async function check(row: number, column: number, asked: Partial<PhotographSpec>, channels: number): Promise<void> {
    const { mean, largest } = differences(await decode(bytes, asked), await tile(name, row, column, channels))
    expect(mean).toBeLessThanOrEqual(most.mean)
    expect(largest).toBeLessThanOrEqual(most.largest)
  }

  for (const [column, [way, resize]] of WAYS.entries()) {
    // The sheet of another size has it in place of the shortest edge.
    const asked = column === 0 ? changes : { ...changes, ...resize }
    it.each(INTERPOLATIONS)(`%s, ${way}: is what Pillow and torchvision make of it`, async (interpolation) => {
      await check(INTERPOLATIONS.indexOf(interpolation), column, { ...asked, interpolation }, 3)
    })

    it(`in grey, ${way}: is what Pillow and torchvision make of it`, async () => {
      await check(3, column, { ...asked, channels: 'grey', mean: [0], std: [1] }, 1)
    })
  }
})

describe('a photograph', () => {
  const photograph = readFileSync(new URL('photograph.png', FOLDER))

  it('has its channels in the model’s order', async () => {
    const rgb = await decode(photograph, {})
    const plane = HEIGHT * WIDTH
    const bgr = await decode(photograph, { channels: 'bgr' })
    expect(bgr).toEqual([...rgb.slice(2 * plane), ...rgb.slice(plane, 2 * plane), ...rgb.slice(0, plane)])
  })

  it('is normalised with the mean and std of each channel, to the bit as by PyTorch', async () => {
    const mean = [0.485, 0.456, 0.406]
    const std = [0.229, 0.224, 0.225]
    // transforms.ToTensor and Normalize on greys, in PyTorch 2.15.
    const pytorch: Record<number, number[]> = {
      0: [-2.1179039478302, -2.0357141494750977, -1.804444432258606],
      1: [-2.1007792949676514, -2.018207311630249, -1.7870151996612549],
      100: [-0.40542858839035034, -0.28501397371292114, -0.061524976044893265],
      199: [1.2899221181869507, 1.4481792449951172, 1.6639653444290161],
      255: [2.248908281326294, 2.4285714626312256, 2.640000104904175],
    }
    for (const [grey, expected] of Object.entries(pytorch)) {
      const input = await decoder.decode(await greyPng(Number(grey)), spec({ mean, std }))
      const plane = HEIGHT * WIDTH
      expect([input[0], input[plane], input[3 * plane - 1]]).toEqual(expected)
    }
  })

  it('is the same whether a PNG is interlaced or not, and whether it is read on the event loop or by sharp', async () => {
    const interlaced = await sharp(photograph).png({ progressive: true }).toBuffer()
    expect(await decode(interlaced, {})).toEqual(await decode(photograph, {}))
    const small = await sharp(photograph).resize(WIDTH, HEIGHT, { fit: 'fill' }).png().toBuffer()
    const same: Partial<PhotographSpec> = { resize: [HEIGHT, WIDTH] }
    const bySharp = await decode(await sharp(small).png({ progressive: true }).toBuffer(), same)
    expect(await decode(small, same)).toEqual(bySharp)
  })

  it('is prepared like those before and after it, when many come at once', async () => {
    const files = PICTURES.map((file) => readFileSync(new URL(file, FOLDER)))
    const together = await decoder.decodeAll([...files, ...files], spec({}))
    const alone = await Promise.all(files.map((file) => decoder.decode(file, spec({}))))
    expect(together).toEqual([...alone, ...alone])
  })
})

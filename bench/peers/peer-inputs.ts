import sharp from 'sharp'
import { ImageDecoder } from '../../src/preprocessing/image-decoder.ts'
import { type InputSpec, isDrawing } from '../../src/repository/input-spec.ts'
import { makePictures, seededRandom } from '../inputs.ts'
import { drawing } from '../pictures.ts'
import type { PeerInput } from './peers.ts'

/** To be opened after pictures are drawn: it blocks SVG in the whole process. */
const openDecoder = () => new ImageDecoder({ maxPixels: 1_000_000, maxSide: 20_000, timeoutS: 10, maxPending: 1 })

/**
 * `count` inputs of each kind, all different: for a model of photographs JPEGs of 640 x 480, else drawings as PNGs that already
 * have the model's size, ground and placing; and the same as float32 bytes. Servers that only decode, resize, crop and
 * normalise a picture then see the same input as ours.
 */
export async function makeInputs(spec: InputSpec, count: number): Promise<Record<PeerInput, Buffer[]>> {
  if (isDrawing(spec)) {
    const drawings = await fittedDrawings(spec, 2 * count)
    const tensor = await Promise.all(drawings.slice(count).map((png) => normalised(png, spec)))
    return { tensor, picture: drawings.slice(0, count) }
  }
  const photographs = await makePictures('jpeg', spec, 2 * count)
  const decoder = openDecoder()
  const tensor: Buffer[] = []
  for (const photograph of photographs.slice(count)) {
    tensor.push(Buffer.from((await decoder.decode(photograph, spec)).buffer))
  }
  return { tensor, picture: photographs.slice(0, count) }
}

async function normalised(png: Buffer, { mean: [mean = 0], std: [std = 1] }: InputSpec): Promise<Buffer> {
  const greys = await sharp(png).toColourspace('b-w').raw().toBuffer()
  return Buffer.from(Float32Array.from(greys, (grey) => (grey / 255 - mean) / std).buffer)
}

async function fittedDrawings(spec: InputSpec, count: number): Promise<Buffer[]> {
  const random = seededRandom(2)
  const size = { width: spec.width * 4, height: spec.height * 4 }
  // Some do not survive the round trip and are left out.
  const drawings: Buffer[] = []
  while (drawings.length < 2 * count) drawings.push(await drawing(size, random))
  const decoder = openDecoder()
  const fitted: Buffer[] = []
  for (const picture of drawings) {
    const greys = greysOf(await decoder.decode(picture, spec), spec).map(Math.round)
    const raw = { width: spec.width, height: spec.height, channels: 1 } as const
    const png = await sharp(Uint8Array.from(greys), { raw }).toColourspace('b-w').png().toBuffer()
    const again = greysOf(await decoder.decode(png, spec), spec)
    if (again.every((grey, i) => Math.abs(grey - (greys[i] as number)) < 1e-3)) fitted.push(png)
  }
  if (fitted.length < count) throw new Error(`only ${fitted.length} of ${drawings.length} drawings fit`)
  return fitted.slice(0, count)
}

/** The input of a model of one channel, as 0..255. */
function greysOf(normalised: Float32Array, { mean: [mean = 0], std: [std = 1] }: InputSpec): number[] {
  return Array.from(normalised, (value) => (value * std + mean) * 255)
}

import { drawing, type InputShape, photograph } from './pictures.ts'

export interface Payload {
  contentType: string
  body: Buffer
}

interface InputKind {
  title: string
  /** Size of the picture; without it the model's. */
  shape?: InputShape
  /** Absent where the input is no picture. */
  picture?: (shape: InputShape, random: () => number) => Promise<Buffer>
  /** Distinct inputs; more are made where there are more clients. */
  count: number
}

/** What clients send. Another kind of picture is one more entry here. */
export const INPUT_KINDS = {
  tensor: { title: 'raw tensor', count: 256 },
  png: { title: 'PNG', picture: drawing, count: 256 },
  jpeg: { title: 'JPEG 640 x 480', shape: { width: 640, height: 480 }, picture: photograph, count: 64 },
  photo: { title: 'JPEG 12 MP', shape: { width: 4000, height: 3000 }, picture: photograph, count: 1 },
} satisfies Record<string, InputKind>

export type InputKindName = keyof typeof INPUT_KINDS
export type PictureKindName = Exclude<InputKindName, 'tensor'>
export const PICTURE_KINDS = ['png', 'jpeg', 'photo'] as const satisfies readonly PictureKindName[]

/** Pictures in the making at once: each holds its pixels. */
const AT_ONCE = 4

/** At least `count` files that all differ, and are the same in every run. */
export async function makePictures(kind: PictureKindName, model: InputShape, count: number): Promise<Buffer[]> {
  const { shape, picture, count: usual }: InputKind & { picture: typeof drawing } = INPUT_KINDS[kind]
  const random = seededRandom(1)
  const pictures: Buffer[] = []
  while (pictures.length < Math.max(count, usual)) {
    // A seed for each, drawn in order, so that the order in which they are finished does not matter.
    const seeds = Array.from({ length: AT_ONCE }, () => random() * 2 ** 32)
    pictures.push(...(await Promise.all(seeds.map((seed) => picture(shape ?? model, seededRandom(seed))))))
  }
  return pictures
}

/** Requests' bodies, at least `count`: raw tensors, or multipart uploads of pictures. */
export async function makePayloads(kind: InputKindName, model: InputShape, count: number): Promise<Payload[]> {
  if (kind !== 'tensor') return (await makePictures(kind, model, count)).map((picture) => formWithFile(picture, 'file'))
  const random = seededRandom(1)
  return Array.from({ length: Math.max(count, INPUT_KINDS.tensor.count) }, () => ({
    contentType: 'application/octet-stream',
    body: Buffer.from(randomTensor(model, 1, random).buffer),
  }))
}

/** Values in the range that normalised pictures have. */
export function randomTensor(model: InputShape, count: number, random: () => number): Float32Array {
  const { height, width, channels = 'grey' } = model
  const length = count * (channels === 'grey' ? 1 : 3) * height * width
  return Float32Array.from({ length }, () => random() * 3 - 0.5)
}

export function formWithFile(picture: Buffer, field: string): Payload {
  const boundary = '----resnet-serve-bench'
  // The type that is declared does not matter to the server, which looks at the content.
  const head = `--${boundary}\r\nContent-Disposition: form-data; name="${field}"; filename="picture"\r\nContent-Type: image/png\r\n\r\n`
  return {
    contentType: `multipart/form-data; boundary=${boundary}`,
    body: Buffer.concat([Buffer.from(head), picture, Buffer.from(`\r\n--${boundary}--\r\n`)]),
  }
}

/** Mulberry32: uniform in [0, 1). */
export function seededRandom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

import sharp from 'sharp'

export interface Payload {
  contentType: string
  body: Buffer
}

export interface InputShape {
  height: number
  width: number
}

interface InputKind {
  title: string
  make: (shape: InputShape, random: () => number) => Payload | Promise<Payload>
}

/** What clients send. Another kind of picture is one more entry here. */
export const INPUT_KINDS = {
  tensor: { title: 'raw tensor', make: rawTensor },
  png: { title: 'PNG upload', make: pngUpload },
} satisfies Record<string, InputKind>

export type InputKindName = keyof typeof INPUT_KINDS

/** `count` payloads that all differ, and are the same in every run. */
export async function makePayloads(kind: InputKindName, shape: InputShape, count: number): Promise<Payload[]> {
  const random = seededRandom(1)
  const payloads: Payload[] = []
  while (payloads.length < count) payloads.push(await INPUT_KINDS[kind].make(shape, random))
  return payloads
}

/** One channel of values in the range that normalised pictures have. */
export function randomTensor({ height, width }: InputShape, count: number, random: () => number): Float32Array {
  return Float32Array.from({ length: count * height * width }, () => random() * 3 - 0.5)
}

function rawTensor(shape: InputShape, random: () => number): Payload {
  return { contentType: 'application/octet-stream', body: Buffer.from(randomTensor(shape, 1, random).buffer) }
}

/** A curved stroke, light on dark or dark on light: like handwriting, so that decoding has its usual work. */
async function pngUpload({ height, width }: InputShape, random: () => number): Promise<Payload> {
  const point = (): string => `${(0.15 + 0.7 * random()) * width} ${(0.15 + 0.7 * random()) * height}`
  const [paper, ink] = random() < 0.5 ? ['#000', '#fff'] : ['#fff', '#000']
  const stroke = `stroke="${ink}" stroke-width="${Math.min(height, width) / 11}" stroke-linecap="round"`
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}">
    <rect width="100%" height="100%" fill="${paper}"/>
    <path fill="none" ${stroke} d="M${point()} C${point()},${point()},${point()} S${point()},${point()}"/></svg>`
  return formWithFile(await sharp(Buffer.from(svg)).flatten().toColourspace('b-w').png().toBuffer())
}

function formWithFile(png: Buffer): Payload {
  const boundary = '----resnet-serve-bench'
  const head = `--${boundary}\r\nContent-Disposition: form-data; name="file"; filename="picture.png"\r\nContent-Type: image/png\r\n\r\n`
  return {
    contentType: `multipart/form-data; boundary=${boundary}`,
    body: Buffer.concat([Buffer.from(head), png, Buffer.from(`\r\n--${boundary}--\r\n`)]),
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

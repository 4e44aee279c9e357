/** A PNG, JPEG or WebP file. */
export type Picture = Uint8Array | ArrayBuffer | Blob

/** The values of one input, C x H x W, already normalised. */
export interface Tensor {
  tensor: Float32Array
}

export type Input = Picture | Tensor

export interface Body {
  /** Undefined for a form: `fetch` writes its boundary. */
  type: string | undefined
  content: Uint8Array<ArrayBuffer> | Blob | FormData
}

/** Content types of a single picture, by its first byte. */
const PICTURE_TYPES = new Map([
  [0x89, 'image/png'],
  [0xff, 'image/jpeg'],
  [0x52, 'image/webp'],
])

/** One picture is a body of its own, several are a form, tensors lie one behind the other. Throws TypeError for a mixture. */
export async function bodyOf(inputs: readonly Input[]): Promise<Body> {
  const [first] = inputs
  if (first === undefined) throw new TypeError('there is no input')
  if (!inputs.every((input) => belongTogether(first, input))) {
    throw new TypeError('inputs of one request must all be pictures, or all be tensors of one length')
  }
  if (isTensor(first)) return { type: 'application/octet-stream', content: concatenate(inputs as Tensor[]) }
  const pictures = inputs as Picture[]
  const type = pictures.length === 1 ? await typeOf(first) : undefined
  return type === undefined ? formOf(pictures) : { type, content: contentOf(first) }
}

/** Whether one request can hold both. */
export function belongTogether(a: Input, b: Input): boolean {
  if (isTensor(a)) return isTensor(b) && a.tensor.length === b.tensor.length
  return !isTensor(b)
}

export function bytesIn(input: Input): number {
  if (isTensor(input)) return input.tensor.byteLength
  return input instanceof Blob ? input.size : input.byteLength
}

function isTensor(input: Input): input is Tensor {
  return 'tensor' in input
}

/** Undefined for what is none of the three. In a form it needs no type, and the server says what is wrong with it. */
async function typeOf(picture: Picture): Promise<string | undefined> {
  const head = picture instanceof Blob ? await picture.slice(0, 1).arrayBuffer() : picture
  const [byte = 0] = head instanceof Uint8Array ? head : new Uint8Array(head)
  return PICTURE_TYPES.get(byte)
}

function formOf(pictures: Picture[]): Body {
  const form = new FormData()
  for (const [i, picture] of pictures.entries()) {
    const part = picture instanceof Blob ? picture : new Blob([contentOf(picture) as Uint8Array<ArrayBuffer>])
    // With a name, an empty file is an input too, and fails as such.
    form.append('file', part, `${i}`)
  }
  return { type: undefined, content: form }
}

function contentOf(picture: Picture): Uint8Array<ArrayBuffer> | Blob {
  return picture instanceof ArrayBuffer ? new Uint8Array(picture) : (picture as Uint8Array<ArrayBuffer> | Blob)
}

/** Little-endian, on any machine. */
function concatenate(inputs: Tensor[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(inputs.reduce((sum, { tensor }) => sum + tensor.byteLength, 0))
  const view = new DataView(bytes.buffer)
  let at = 0
  for (const { tensor } of inputs) {
    for (let i = 0; i < tensor.length; i++, at += 4) view.setFloat32(at, tensor[i] as number, true)
  }
  return bytes
}

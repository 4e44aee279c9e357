import { ServeError } from '../errors.ts'
import { float16ToFloat32 } from '../repository/float16.ts'
import { channelCount, type InputShape, type InputSpec, inputLength } from '../repository/input-spec.ts'

/**
 * Reads a JSON tensor `[C][H][W]`, or `[H][W]` of one channel, into a flat array. Anything but finite numbers in rows of
 * equal length throws `invalid_tensor`.
 */
export function readJsonTensor(value: unknown, shape: InputShape): Float32Array {
  const { height, width } = shape
  const channels = readChannels(value, shape)
  const out = new Float32Array(inputLength(shape))
  for (const [c, rows] of channels.entries()) {
    for (let y = 0; y < height; y++) {
      const row: unknown = rows[y]
      if (!Array.isArray(row) || row.length !== width) throw wrongShape(shape)
      const from = (c * height + y) * width
      for (let x = 0; x < width; x++) {
        const number: unknown = row[x]
        if (typeof number !== 'number') throw notANumber(channels.length > 1 ? [c, y, x] : [y, x])
        out[from + x] = number
      }
    }
  }
  return assertSane(out)
}

/** Rows of each channel: as many as the shape has. */
function readChannels(value: unknown, shape: InputShape): unknown[][] {
  if (!Array.isArray(value)) throw new ServeError('invalid_tensor', 'the tensor is not an array')
  const count = channelCount(shape)
  const isOneChannel = count === 1 && !(value.length === 1 && Array.isArray(value[0]) && Array.isArray(value[0][0]))
  const channels: unknown[] = isOneChannel ? [value] : value
  const isRows = (rows: unknown): rows is unknown[] => Array.isArray(rows) && rows.length === shape.height
  if (channels.length !== count || !channels.every(isRows)) throw wrongShape(shape)
  return channels
}

function wrongShape(shape: InputShape): ServeError {
  const { height, width } = shape
  const rows = `[${height}][${width}]`
  const shapes = channelCount(shape) === 1 ? `${rows} or [1]${rows}` : `[${channelCount(shape)}]${rows}`
  return new ServeError('invalid_tensor', `the tensor must have shape ${shapes}`)
}

function notANumber(at: number[]): ServeError {
  return new ServeError('invalid_tensor', `the value at ${at.map((index) => `[${index}]`).join('')} is not a number`)
}

/** Number of float32 inputs `[C, height, width]` in `bytes`. Throws unless it is a whole number from 1. */
export function countBinaryTensors(bytes: Uint8Array, shape: InputShape): number {
  const itemBytes = inputLength(shape) * 4
  if (bytes.length === 0) throw new ServeError('missing_input', 'the body is empty')
  if (bytes.length % itemBytes !== 0) {
    const dimensions = ['N', channelCount(shape), shape.height, shape.width].join(' x ')
    const detail = `it must be ${dimensions} float32, a multiple of ${itemBytes} bytes`
    throw new ServeError('invalid_tensor', `the body has ${bytes.length} bytes; ${detail}`)
  }
  return bytes.length / itemBytes
}

/** Reads little-endian float32. Returns a view of `bytes`, or a copy if they are not aligned. */
export function readBinaryTensor(bytes: Uint8Array): Float32Array {
  const { buffer, byteOffset, length } = aligned(bytes, 4)
  return assertSane(new Float32Array(buffer, byteOffset, length / 4))
}

/** Reads little-endian float16. */
export function readHalfTensor(bytes: Uint8Array): Float32Array {
  const { buffer, byteOffset, length } = aligned(bytes, 2)
  return assertSane(float16ToFloat32(new Uint16Array(buffer, byteOffset, length / 2)))
}

function aligned(bytes: Uint8Array, size: number): Uint8Array {
  return bytes.byteOffset % size === 0 ? bytes : new Uint8Array(bytes)
}

/**
 * Normalises the pixels `[C][H][W]` of a picture that has the model's size and order of channels already. In float32, as
 * PyTorch does.
 */
export function normalisePixels(pixels: Uint8Array, { mean, std }: Pick<InputSpec, 'mean' | 'std'>): Float32Array {
  const out = new Float32Array(pixels.length)
  const plane = pixels.length / mean.length
  for (const [c, each] of mean.entries()) {
    const [shift, scale] = [Math.fround(each), Math.fround(std[c] as number)]
    const table = Float32Array.from(
      { length: 256 },
      (_, value) => Math.fround(Math.fround(value / 255) - shift) / scale,
    )
    for (let i = c * plane; i < (c + 1) * plane; i++) out[i] = table[pixels[i] as number] as number
  }
  return out
}

/**
 * Largest magnitude of a value. A normalised picture has values around 1. Far beyond, numbers overflow inside the network,
 * and an engine may make a confident class of them.
 */
const MAX_MAGNITUDE = 1e9

/** Also catches what overflows float32, such as 1e300. */
function assertSane(values: Float32Array): Float32Array {
  for (let i = 0; i < values.length; i++) {
    const value = values[i] as number
    if (value <= MAX_MAGNITUDE && value >= -MAX_MAGNITUDE) continue
    const detail = Number.isFinite(value) ? `beyond ${MAX_MAGNITUDE}` : 'that is not finite'
    throw new ServeError('invalid_tensor', `the tensor holds a number ${detail}`)
  }
  return values
}

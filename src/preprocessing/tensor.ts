import { ServeError } from '../errors.ts'

/**
 * Reads a JSON tensor `[H][W]` or `[1][H][W]` into a flat array. Anything but finite numbers in rows of equal length throws
 * `invalid_tensor`.
 */
export function readJsonTensor(value: unknown, height: number, width: number): Float32Array {
  const rows = unwrapChannel(value)
  if (rows.length !== height) throw wrongShape(height, width)
  const out = new Float32Array(height * width)
  for (let y = 0; y < height; y++) {
    const row: unknown = rows[y]
    if (!Array.isArray(row) || row.length !== width) throw wrongShape(height, width)
    for (let x = 0; x < width; x++) {
      const number: unknown = row[x]
      if (typeof number !== 'number')
        throw new ServeError('invalid_tensor', `the value at [${y}][${x}] is not a number`)
      out[y * width + x] = number
    }
  }
  return assertSane(out)
}

function unwrapChannel(value: unknown): unknown[] {
  if (!Array.isArray(value)) throw new ServeError('invalid_tensor', 'the tensor is not an array')
  const isChannel = value.length === 1 && Array.isArray(value[0]) && Array.isArray(value[0][0])
  return isChannel ? (value[0] as unknown[]) : value
}

function wrongShape(height: number, width: number): ServeError {
  return new ServeError(
    'invalid_tensor',
    `the tensor must have shape [${height}][${width}] or [1][${height}][${width}]`,
  )
}

/** Number of float32 inputs `[1, height, width]` in `bytes`. Throws unless it is a whole number from 1. */
export function countBinaryTensors(bytes: Uint8Array, height: number, width: number): number {
  const itemBytes = height * width * 4
  if (bytes.length === 0) throw new ServeError('missing_input', 'the body is empty')
  if (bytes.length % itemBytes !== 0) {
    const shape = `N x 1 x ${height} x ${width} float32, a multiple of ${itemBytes} bytes`
    throw new ServeError('invalid_tensor', `the body has ${bytes.length} bytes; it must be ${shape}`)
  }
  return bytes.length / itemBytes
}

/** Reads little-endian float32. Returns a view of `bytes`, or a copy if they are not aligned. */
export function readBinaryTensor(bytes: Uint8Array): Float32Array {
  const aligned = bytes.byteOffset % Float32Array.BYTES_PER_ELEMENT === 0 ? bytes : new Uint8Array(bytes)
  return assertSane(new Float32Array(aligned.buffer, aligned.byteOffset, aligned.length / 4))
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

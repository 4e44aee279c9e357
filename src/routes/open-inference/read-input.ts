import { ServeError, toServeError } from '../../errors.ts'
import { channelCount, type InputShape, inputLength } from '../../repository/input-spec.ts'
import { readImageText } from '../inputs/image-text.ts'
import { assertInputCount, type RawInput } from '../inputs/raw-input.ts'
import type { Limits } from '../services.ts'
import { INPUT_NAME } from './metadata.ts'

/** A tensor as a request declares it, with its data in one of two forms. */
export interface InputTensor {
  name: string
  datatype: string
  shape: number[]
  /** Elements, flat or nested: numbers, or for BYTES strings (base64) or bytes. */
  values?: unknown
  /** Elements in little-endian order, row-major; for BYTES each has its length, 4 bytes, in front. */
  bytes?: Uint8Array | undefined
}

/** Numbers, by datatype. FP32 and FP16 are normalised values, UINT8 are pixels from 0 to 255. */
const NUMBERS: Record<string, { size: number; input: (bytes: Uint8Array) => RawInput }> = {
  FP32: { size: 4, input: (values) => ({ values }) },
  FP16: { size: 2, input: (half) => ({ half }) },
  UINT8: { size: 1, input: (pixels) => ({ pixels }) },
}

/**
 * The inputs of a request, in their order, not yet decoded: views of `bytes` where it has them. Throws `missing_input`,
 * `invalid_tensor` or `too_many_inputs`.
 */
export function readInput(
  tensors: InputTensor[],
  shape: InputShape,
  { maxInputs }: Pick<Limits, 'maxInputs'>,
): RawInput[] {
  const [tensor] = tensors
  if (tensor === undefined) throw new ServeError('missing_input', `the request has no input "${INPUT_NAME}"`)
  if (tensors.length > 1) throw invalid(`the model has one input, the request ${tensors.length}`)
  if (tensor.name !== INPUT_NAME) throw invalid(`there is no input ${quote(tensor.name)}; it is called "${INPUT_NAME}"`)
  const numbers = Object.hasOwn(NUMBERS, tensor.datatype) ? NUMBERS[tensor.datatype] : undefined
  if (numbers === undefined && tensor.datatype !== 'BYTES') {
    throw invalid(`input "${INPUT_NAME}" cannot be ${quote(tensor.datatype)}; send FP32, FP16, UINT8 or BYTES`)
  }
  const count = countInputs(tensor, numbers === undefined ? [] : [channelCount(shape), shape.height, shape.width])
  assertInputCount(count, maxInputs)
  if (numbers === undefined) return readPictures(tensor, count)

  const length = inputLength(shape)
  if (tensor.bytes === undefined) return splitRows(fromValues(tensor, count * length), count)
  const { bytes } = tensor
  const expected = count * length * numbers.size
  if (bytes.length !== expected) {
    throw invalid(`${tensor.datatype} of ${written(tensor)} has ${expected} bytes; there are ${bytes.length}`)
  }
  return split(bytes, count).map(numbers.input)
}

/** The first dimension of a declared shape, the others of which must be `rest`. */
function countInputs(tensor: InputTensor, rest: number[]): number {
  const { datatype, shape } = tensor
  const [count = 0, ...others] = shape
  // Pictures may stand in a column, as clients of ensembles send them.
  const isColumn = rest.length === 0 && others.length === 1 && others[0] === 1
  if (Number.isSafeInteger(count) && count >= 1 && (isColumn || String(others) === String(rest))) return count
  throw invalid(`${datatype} must have shape [${['N', ...rest].join(',')}], N from 1; this has ${written(tensor)}`)
}

function split(bytes: Uint8Array, count: number): Uint8Array[] {
  const size = bytes.length / count
  return Array.from({ length: count }, (_, i) => bytes.subarray(i * size, (i + 1) * size))
}

function splitRows(values: Float32Array | Uint8Array, count: number): RawInput[] {
  const bytes = new Uint8Array(values.buffer)
  return split(bytes, count).map((row) => (values instanceof Float32Array ? { values: row } : { pixels: row }))
}

/** Numbers of a JSON array, flat or nested. They are counted before memory is taken for them. */
function fromValues(tensor: InputTensor, length: number): Float32Array | Uint8Array {
  const { values, datatype } = tensor
  if (!Array.isArray(values)) throw invalid(`input "${INPUT_NAME}" has no data`)
  const found = countElements(values)
  if (found !== length) throw invalid(`${written(tensor)} has ${length} elements; there are ${found}`)
  const isPixels = datatype === 'UINT8'
  const out = isPixels ? new Uint8Array(length) : new Float32Array(length)
  let at = 0
  const write = (elements: unknown[]): void => {
    for (const element of elements) {
      if (Array.isArray(element)) {
        write(element)
        continue
      }
      if (typeof element !== 'number') throw invalid(`element ${at} is not a number`)
      if (isPixels && !(Number.isInteger(element) && element >= 0 && element <= 255)) {
        throw invalid(`element ${at} is not a whole number from 0 to 255, as UINT8 is`)
      }
      out[at++] = element
    }
  }
  write(values)
  return out
}

/** Of an array however deep; who parses the request bounds that. */
function countElements(values: unknown[]): number {
  if (!values.some(Array.isArray)) return values.length
  return values.reduce<number>((sum, value) => sum + (Array.isArray(value) ? countElements(value) : 1), 0)
}

function readPictures(tensor: InputTensor, count: number): RawInput[] {
  const { values, bytes } = tensor
  const elements = bytes === undefined ? values : splitElements(bytes, count)
  if (!Array.isArray(elements)) throw invalid(`input "${INPUT_NAME}" has no data`)
  const flat: unknown[] = elements.flat()
  if (flat.length !== count) {
    throw invalid(`${written(tensor)} has ${count} elements; there are ${flat.length > count ? 'more' : flat.length}`)
  }
  return flat.map((element, i): RawInput => {
    if (element instanceof Uint8Array) return { image: element }
    if (typeof element !== 'string') throw invalid(`element ${i} is not a string; an image is sent as base64`)
    try {
      return { image: readImageText(element) }
    } catch (error) {
      return { error: toServeError(error, 'internal', 'the image could not be read') }
    }
  })
}

/** The elements of a BYTES tensor: views. Not many more than `count`, since each may be empty. */
function splitElements(bytes: Uint8Array, count: number): Uint8Array[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const elements: Uint8Array[] = []
  for (let at = 0; at < bytes.length && elements.length <= count; ) {
    const start = at + 4
    const end = start <= bytes.length ? start + view.getUint32(at, true) : Number.POSITIVE_INFINITY
    if (end > bytes.length) throw invalid(`element ${elements.length} of BYTES ends behind the data`)
    elements.push(bytes.subarray(start, end))
    at = end
  }
  return elements
}

function invalid(detail: string): ServeError {
  return new ServeError('invalid_tensor', detail)
}

/** A client's shape, short enough for a sentence. */
function written({ shape }: InputTensor): string {
  return `shape [${shape.slice(0, 8)}${shape.length > 8 ? ',...' : ''}]`
}

/** A client's text, short enough for a sentence. */
export function quote(text: string): string {
  return JSON.stringify(text.slice(0, 64))
}

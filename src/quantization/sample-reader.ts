import { readFileSync } from 'node:fs'
import { extname } from 'node:path'
import { ImageDecoder } from '../preprocessing/image-decoder.ts'
import { countBinaryTensors, readBinaryTensor } from '../preprocessing/tensor.ts'
import { fileError, inFile } from '../repository/in-file.ts'
import { channelCount, type InputSpec, inputLength } from '../repository/input-spec.ts'
import { readSafetensors } from '../repository/safetensors.ts'

/** libvips' own limit: these files come from the user, not from clients. */
const MAX_PIXELS = 268_402_689
const DECODE_TIMEOUT_S = 60

/**
 * Reads inputs from files: images as the server reads them, `.f32` as little-endian float32, `.safetensors` by the
 * tensor `input` of shape `[N, C, height, width]`. Every error names the file.
 */
export class SampleReader {
  readonly #spec: InputSpec
  /** Numbers in one input. */
  readonly #length: number
  readonly #images = new ImageDecoder({
    maxPixels: MAX_PIXELS,
    maxSide: MAX_PIXELS,
    timeoutS: DECODE_TIMEOUT_S,
    maxPending: Number.POSITIVE_INFINITY,
  })
  /** The file of tensors read last: the next read is usually from the same file. */
  #last: { path: string; tensors: Float32Array } | undefined

  constructor(spec: InputSpec) {
    this.#spec = spec
    this.#length = inputLength(spec)
  }

  /** Number of inputs in a file. An image counts as one, unread. */
  count(path: string): number {
    return holdsTensors(path) ? this.#tensors(path).length / this.#length : 1
  }

  /** `[C, height, width]`, normalised. */
  async read(path: string, index: number): Promise<Float32Array> {
    if (holdsTensors(path)) return this.#tensors(path).subarray(index * this.#length, (index + 1) * this.#length)
    try {
      return await this.#images.decode(readFileSync(path), this.#spec)
    } catch (error) {
      throw fileError(path, error)
    }
  }

  #tensors(path: string): Float32Array {
    if (this.#last?.path !== path) this.#last = { path, tensors: inFile(path, () => readTensors(path, this.#spec)) }
    return this.#last.tensors
  }
}

function holdsTensors(path: string): boolean {
  return ['.f32', '.safetensors'].includes(extname(path))
}

function readTensors(path: string, spec: InputSpec): Float32Array {
  const file = readFileSync(path)
  if (extname(path) === '.f32') {
    countBinaryTensors(file, spec)
    return readBinaryTensor(file)
  }
  const tensors = readSafetensors(file)
  return tensors.take('input', [tensors.rows('input'), channelCount(spec), spec.height, spec.width])
}

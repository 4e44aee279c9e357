import { createHash } from 'node:crypto'
import { closeSync, openSync, writeSync } from 'node:fs'
import { float32ToFloat16 } from '../repository/float16.ts'
import { countValues } from '../resnet/graph.ts'

export type WeightsDtype = 'fp16' | 'fp32'

/** A tensor on its way into a file. */
export interface NamedTensor {
  name: string
  shape: number[]
  /** Row-major. */
  read(): Float32Array
}

/** safetensors' names, and bytes of a value. */
const DTYPES = { fp16: ['F16', 2], fp32: ['F32', 4] } as const

/**
 * Writes a safetensors file, one tensor in memory at a time. Returns the file's sha256. Throws a plain Error that names a
 * tensor whose values are not finite, or too large for fp16.
 */
export function writeWeights(path: string, tensors: NamedTensor[], dtype: WeightsDtype): string {
  const sha256 = createHash('sha256')
  const file = openSync(path, 'w')
  const write = (bytes: Uint8Array): void => {
    sha256.update(bytes)
    for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at)
  }
  try {
    write(headerOf(tensors, dtype))
    for (const tensor of tensors) write(bytesOf(tensor, dtype))
  } finally {
    closeSync(file)
  }
  return sha256.digest('hex')
}

function headerOf(tensors: NamedTensor[], dtype: WeightsDtype): Uint8Array {
  const [name, width] = DTYPES[dtype]
  let offset = 0
  const entries = tensors.map((tensor) => {
    const from = offset
    offset += countValues(tensor.shape) * width
    return [tensor.name, { dtype: name, shape: tensor.shape, data_offsets: [from, offset] }]
  })
  const json = Buffer.from(JSON.stringify(Object.fromEntries(entries)))
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(json.length))
  return Buffer.concat([length, json])
}

function bytesOf({ name, read }: NamedTensor, dtype: WeightsDtype): Uint8Array {
  const values = read()
  for (const value of values) {
    if (!Number.isFinite(value))
      throw new Error(`${name} holds ${value}: the training diverged, or the file is damaged`)
  }
  const stored = dtype === 'fp16' ? float32ToFloat16(values) : values
  if (stored instanceof Uint16Array && stored.some((half) => (half & 0x7c00) === 0x7c00)) {
    throw new Error(`${name} holds values too large for fp16: use --weights-dtype fp32`)
  }
  return new Uint8Array(stored.buffer, stored.byteOffset, stored.byteLength)
}

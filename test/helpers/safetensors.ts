import { float32ToFloat16 } from '../../src/repository/float16.ts'
import type { Tensor } from '../../src/resnet/state-dict.ts'

/** The bytes of a safetensors file, tensors in the order given, the header padded so that the data starts at 8 bytes. */
export function writeSafetensors(tensors: Iterable<[string, Tensor]>, dtype: 'F32' | 'F16'): Buffer {
  const header: Record<string, object> = {}
  const chunks: Uint8Array[] = []
  let offset = 0
  for (const [name, { shape, data }] of tensors) {
    const stored = dtype === 'F32' ? data : float32ToFloat16(data)
    const bytes = new Uint8Array(stored.buffer, stored.byteOffset, stored.byteLength)
    header[name] = { dtype, shape, data_offsets: [offset, offset + bytes.length] }
    chunks.push(bytes)
    offset += bytes.length
  }
  const text = JSON.stringify(header)
  const json = Buffer.from(text + ' '.repeat(-Buffer.byteLength(text) & 7))
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(json.length))
  return Buffer.concat([length, json, ...chunks])
}

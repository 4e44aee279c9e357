import type { Manifest } from '../../repository/manifest.ts'
import { bytesOf } from '../results.ts'
import type { InferRequest } from './infer-request.ts'
import type { OutputTensor } from './outputs.ts'

/** JSON, which may hold float32 arrays, and the outputs that come behind it as bytes, in their order. */
export interface InferResponse {
  json: object
  binary: Buffer[]
}

export function inferResponse(
  { id, isBinary }: Pick<InferRequest, 'id' | 'isBinary'>,
  { name: model_name, version: model_version }: Manifest,
  tensors: OutputTensor[],
): InferResponse {
  const binary: Buffer[] = []
  const outputs = tensors.map(({ name, datatype, shape, data }) => {
    if (!isBinary(name)) return { name, datatype, shape, data }
    const bytes = tensorBytes(data)
    binary.push(bytes)
    return { name, datatype, shape, parameters: { binary_data_size: bytes.length } }
  })
  return { json: { model_name, model_version, id, outputs }, binary }
}

/** A tensor's elements as the binary data of an answer. */
export function tensorBytes(data: OutputTensor['data']): Buffer {
  return data instanceof Float32Array ? bytesOf(data) : joinStrings(data)
}

/** Each with its length, 4 bytes little-endian, in front. */
function joinStrings(texts: string[]): Buffer {
  const parts = texts.flatMap((text) => {
    const bytes = Buffer.from(text)
    const length = Buffer.alloc(4)
    length.writeUInt32LE(bytes.length)
    return [length, bytes]
  })
  return Buffer.concat(parts)
}

import { isCounter, StateDict, type Tensor } from '../resnet/state-dict.ts'
import { float16ToFloat32 } from './float16.ts'
import { readSafetensorsHeader, type SafetensorsEntry } from './safetensors-header.ts'

/** Reads every tensor as float32: F32 and F16 only. Throws on anything that the format forbids, naming the tensor. */
export function readSafetensors(file: Buffer): StateDict {
  const { tensors, dataStart } = readSafetensorsHeader(file.length, (from, length) =>
    file.subarray(from, from + length),
  )
  const data = file.subarray(dataStart)
  const read = tensors.filter(([name]) => !isCounter(name))
  return new StateDict(read.map(([name, entry]) => [name, readTensor(name, entry, data)]))
}

function readTensor(name: string, { dtype, shape, data_offsets: [from, to] }: SafetensorsEntry, data: Buffer): Tensor {
  if (dtype !== 'F32' && dtype !== 'F16') throw new Error(`safetensors: ${name} is ${dtype}; F32 and F16 are supported`)
  // Copied, to align the data and to release the file.
  const bytes = new Uint8Array(data.subarray(from, to))
  const values = dtype === 'F32' ? new Float32Array(bytes.buffer) : float16ToFloat32(new Uint16Array(bytes.buffer))
  return { shape, data: values }
}

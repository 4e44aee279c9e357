import { readSafetensorsHeader } from '../repository/safetensors-header.ts'
import { findDType } from './dtype.ts'
import { MAX_LINES, printable } from './pickle-value.ts'
import type { StoredStateDict, WeightFileContents } from './stored-tensor.ts'
import type { WeightFile } from './weight-file.ts'

/** One state_dict, at the root. Throws on anything that the format forbids. */
export function readSafetensorsFile(file: WeightFile): WeightFileContents {
  const { tensors, metadata, dataStart } = readSafetensorsHeader(file.bytes, file.read.bind(file))
  const stateDict: StoredStateDict = { at: '', tensors: new Map(), unreadable: new Map() }
  for (const [
    name,
    {
      dtype: type,
      shape,
      data_offsets: [from, to],
    },
  ] of tensors) {
    const dtype = findDType('safetensors', type)
    const { toFloat32 } = dtype ?? {}
    if (dtype === undefined || toFloat32 === undefined)
      stateDict.unreadable.set(name, `is ${dtype?.name ?? printable(type)}`)
    else {
      const read = (): Float32Array => toFloat32(file.read(dataStart + from, to - from).buffer)
      stateDict.tensors.set(name, { dtype: dtype.name, shape, read })
    }
  }
  // The format allows text alone.
  const texts = Object.entries(metadata ?? {}).filter(([, value]) => typeof value === 'string')
  const leftOver = texts.slice(0, MAX_LINES).map(([key, value]) => `${printable(key)}: ${printable(value)}`)
  return { format: 'safetensors', stateDicts: [stateDict], leftOver }
}

import { printable } from './pickle-value.ts'
import type { StoredStateDict, WeightFileContents } from './stored-tensor.ts'
import { WeightFile } from './weight-file.ts'
import { formatOf } from './weight-format.ts'

/** 100,000 tensors have 10 MB. */
const MAX_INDEX_BYTES = 10_000_000

/**
 * Hugging Face's index of a model in several files, `{"weight_map": {tensor: file}}`: the file of each tensor. Undefined when the
 * file is no JSON. Throws when it is other JSON, and when a file is more than a name: all lie beside the index.
 */
export function readShardIndex(path: string): Map<string, string> | undefined {
  const file = new WeightFile(path)
  try {
    if (formatOf(file) !== 'index') return undefined
    if (file.bytes > MAX_INDEX_BYTES) throw new Error('this JSON is too long for an index of weights')
    return parseIndex(file.read(0, file.bytes).toString())
  } finally {
    file.close()
  }
}

function parseIndex(text: string): Map<string, string> {
  let index: { weight_map?: unknown }
  try {
    index = JSON.parse(text)
  } catch {
    throw new Error('this is neither weights nor JSON')
  }
  const { weight_map: weightMap } = index
  if (typeof weightMap !== 'object' || weightMap === null) {
    throw new Error('this is JSON without a weight_map; name the file of weights, or its folder')
  }
  const shards = new Map<string, string>(Object.entries(weightMap))
  for (const shard of shards.values()) {
    if (typeof shard !== 'string' || !/^[^/\\\0]+$/.test(shard) || shard === '.' || shard === '..') {
      throw new Error(
        `its weight_map has ${printable(String(JSON.stringify(shard)))}, which is not the name of a file beside it`,
      )
    }
  }
  return shards
}

/** The tensors of the index as one state_dict, out of what each file holds. */
export function mergeShards(index: Map<string, string>, shards: Map<string, WeightFileContents>): WeightFileContents {
  const merged: StoredStateDict = { at: '', tensors: new Map(), unreadable: new Map() }
  const leftOver: string[] = []
  for (const [shard, contents] of shards) {
    const root = contents.stateDicts.find(({ at }) => at === '')
    const here = ([name]: [string, unknown]): boolean => index.get(name) === shard
    const tensors = [...(root?.tensors ?? [])]
    for (const [name, tensor] of tensors.filter(here)) merged.tensors.set(name, tensor)
    for (const [name, reason] of [...(root?.unreadable ?? [])].filter(here)) merged.unreadable.set(name, reason)
    const others = tensors.filter((entry) => !here(entry)).length
    if (others > 0) leftOver.push(`${shard}: ${others} tensors that the index does not have there`)
  }
  for (const [name, shard] of index) {
    if (!merged.tensors.has(name) && !merged.unreadable.has(name)) merged.unreadable.set(name, `is missing in ${shard}`)
  }
  const [first] = shards.values()
  const format = first?.format === 'safetensors' ? 'sharded safetensors' : 'sharded PyTorch'
  return { format, stateDicts: [merged], leftOver }
}

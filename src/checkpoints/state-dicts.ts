import { countValues } from '../resnet/graph.ts'
import { flattenModule, moduleAttributes } from './module.ts'
import { MAX_DEPTH, MAX_NAME_LENGTH } from './pickle-limits.ts'
import { asDict, describe, MAX_LINES, PickleObject, type PickleValue, printable } from './pickle-value.ts'
import { isTensor, rebuildTensor, type Storages } from './pytorch-tensor.ts'
import type { StoredStateDict, StoredTensor } from './stored-tensor.ts'

/** Nobody chooses among more. */
const MAX_STATE_DICTS = 1000

/**
 * What the tensors of one state_dict may take as float32, for each byte of the file. int8 takes 4, and tied weights are read
 * twice; a tensor that repeats one value by a stride of 0, or one of a thousand views of a storage, would take any number.
 */
const MAX_GROWTH = 8
/** On top of it, for files that are nearly empty. */
const SPARE_BYTES = 2 ** 20

/**
 * Every dict of `root` that has tensors under names, and every module, in the order of the file. Throws when there is no end
 * of them.
 */
export function findStateDicts(root: PickleValue, storages: Storages, fileBytes: number): StoredStateDict[] {
  const found: StoredStateDict[] = []
  const seen = new Set<PickleValue>()
  const rebuild = rebuildOnce(storages)

  function add(at: string, entries: Iterable<[PickleValue, PickleValue]>): StoredStateDict {
    if (found.length === MAX_STATE_DICTS) throw new Error(`it holds more than ${MAX_STATE_DICTS} state_dicts`)
    const stateDict: StoredStateDict = { at, tensors: new Map(), unreadable: new Map() }
    let left = MAX_GROWTH * fileBytes + SPARE_BYTES
    for (const [name, value] of entries) {
      if (typeof name !== 'string') continue
      const tensor = rebuild(value)
      const bytes = typeof tensor === 'string' ? 0 : 4 * countValues(tensor.shape)
      if (typeof tensor === 'string') stateDict.unreadable.set(name, tensor)
      else if (bytes > left) stateDict.unreadable.set(name, `would take ${bytes} bytes, and the file has ${fileBytes}`)
      else stateDict.tensors.set(name, tensor)
      if (bytes <= left) left -= bytes
    }
    found.push(stateDict)
    return stateDict
  }

  function walk(value: PickleValue, at: string, depth: number): void {
    if (typeof value !== 'object' || value === null || seen.has(value) || isTensor(value)) return
    // What a pickle can hold at all. Names that are longer are texts.
    if (depth > MAX_DEPTH) throw new Error(`it nests deeper than ${MAX_DEPTH} levels`)
    if (at.length > MAX_NAME_LENGTH) return
    seen.add(value)
    if (moduleAttributes(value)) {
      const { entries, modules } = flattenModule(value)
      add(at, entries).modules = modules
      return
    }
    const dict = asDict(value)
    // An optimizer's: what it keeps for each parameter has names and shapes like the parameters.
    if (dict?.has('param_groups')) return
    const below = (key: string): string => (at === '' ? key : `${at}.${key}`)
    const named = [...(dict ?? [])].filter((entry): entry is [string, PickleValue] => typeof entry[0] === 'string')
    if (named.some(([, child]) => isTensor(child))) add(at, named)
    for (const [key, child] of named) walk(child, below(key), depth + 1)
    if (Array.isArray(value)) for (const [index, child] of value.entries()) walk(child, below(String(index)), depth + 1)
    if (value instanceof PickleObject) {
      for (const child of [...value.args, value.state, value.elements ?? null]) walk(child, at, depth + 1)
    }
  }

  walk(root, '', 0)
  return found
}

/** The tensor, or why there is none. What the pickle holds once is rebuilt once, however often it is named. */
function rebuildOnce(storages: Storages): (value: PickleValue) => StoredTensor | string {
  const rebuilt = new Map<PickleValue, StoredTensor | string>()
  return (value) => {
    if (!isTensor(value)) return `is ${describe(value)}`
    const known = rebuilt.get(value)
    if (known !== undefined) return known
    let result: StoredTensor | string
    try {
      result = rebuildTensor(value, storages)
    } catch (error) {
      result = (error as Error).message
    }
    rebuilt.set(value, result)
    return result
  }
}

/** What else lies at the root, for people: 'epoch: 12', 'optimizer (dict of 2)'. */
export function describeLeftOver(root: PickleValue, stateDicts: StoredStateDict[]): string[] {
  const lines: string[] = []
  for (const [key, value] of asDict(root) ?? []) {
    if (isTensor(value) || stateDicts.some(({ at }) => isWithin(at, key))) continue
    if (lines.length === MAX_LINES) return [...lines, '...']
    const name = typeof key === 'string' || typeof key === 'number' ? printable(String(key)) : describe(key)
    const isScalar = value === null || typeof value !== 'object'
    lines.push(
      isScalar ? `${name}: ${printable(String(value ?? 'None'))}` : `${name} (${describe(value).replace(/^an? /, '')})`,
    )
  }
  return lines
}

function isWithin(at: string, key: PickleValue): boolean {
  return typeof key === 'string' && (at === key || (at.startsWith(key) && at[key.length] === '.'))
}

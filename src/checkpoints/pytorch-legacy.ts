import { ByteCursor } from './byte-cursor.ts'
import { readPickle } from './pickle.ts'
import { MAX_PICKLE_BYTES } from './pickle-limits.ts'
import type { PickleValue, StorageReference } from './pickle-value.ts'
import { dtypeOfStorage, type StoredStorage } from './pytorch-tensor.ts'
import { describeLeftOver, findStateDicts } from './state-dicts.ts'
import type { WeightFileContents } from './stored-tensor.ts'
import type { WeightFile } from './weight-file.ts'

const MAGIC = 0x1950a86a20f9469cfc6cn
const PROTOCOL = 1001

/**
 * What torch.save wrote before PyTorch 1.6, and writes with `_use_new_zipfile_serialization=False`: pickles of a magic
 * number, a protocol, the machine, the object and the keys of the storages, then for each key an int64 count and the
 * values. All is little-endian, whatever the machine says. Throws when it is something else.
 */
export function readPytorchLegacy(file: WeightFile): WeightFileContents {
  const cursor = new ByteCursor(file.read.bind(file), 0, Math.min(file.bytes, MAX_PICKLE_BYTES))
  if (readPickle(cursor) !== MAGIC) {
    throw new Error(
      'this is a plain pickle; if you trust it, then in Python: torch.save(pickle.load(open(file, "rb")), "weights.pt")',
    )
  }
  if (readPickle(cursor) !== PROTOCOL) throw new Error('this is a checkpoint of an unknown protocol')
  readPickle(cursor)
  const references = new Map<string, StorageReference>()
  const root = readPickle(cursor, (reference) => {
    if (!references.has(reference.key)) references.set(reference.key, reference)
  })
  const keys = readPickle(cursor)
  const stored = locate(file, keys, cursor.position, references)
  const storages = (key: string): StoredStorage => {
    const storage = stored.get(key)
    if (storage === undefined) throw new Error('has no values in the file')
    return storage
  }
  const stateDicts = findStateDicts(root, storages, file.bytes)
  return { format: 'PyTorch legacy', stateDicts, leftOver: describeLeftOver(root, stateDicts) }
}

/** Where the values of each key lie, the first one's from `position` on. Their types are those of the references. */
function locate(
  file: WeightFile,
  keys: PickleValue,
  position: number,
  references: Map<string, StorageReference>,
): Map<string, StoredStorage> {
  const stored = new Map<string, StoredStorage>()
  let next = position
  for (const key of Array.isArray(keys) ? keys : []) {
    const reference = typeof key === 'string' ? references.get(key) : undefined
    if (reference === undefined || stored.has(reference.key)) throw new Error('its list of storages is malformed')
    const bytes = Number(file.read(next, 8).readBigInt64LE()) * dtypeOfStorage(reference).bytes
    const from = next + 8
    if (!(bytes >= 0 && from + bytes <= file.bytes)) throw new Error('the file is cut off')
    stored.set(reference.key, { file, from, bytes, bigEndian: false })
    next = from + bytes
  }
  return stored
}

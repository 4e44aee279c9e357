import { inFile } from '../repository/in-file.ts'
import { readPickle } from './pickle.ts'
import { MAX_PICKLE_BYTES } from './pickle-limits.ts'
import { printable } from './pickle-value.ts'
import type { StoredStorage } from './pytorch-tensor.ts'
import { describeLeftOver, findStateDicts } from './state-dicts.ts'
import type { WeightFileContents } from './stored-tensor.ts'
import type { WeightFile } from './weight-file.ts'
import { openRecord, readZip, type ZipRecord } from './zip-file.ts'

/** TorchScript has a data.pkl as well. */
const TORCHSCRIPT = /^[^/]+\/constants\.pkl$/

/** What is in other zips, and what to do about them. */
const OTHER_ZIPS: [RegExp, string][] = [
  [TORCHSCRIPT, 'this is TorchScript; in PyTorch: torch.save(torch.jit.load(file).state_dict(), "weights.pt")'],
  [
    /\/models\/[^/]+\.json$/,
    'this is an exported program; in PyTorch: torch.save(torch.export.load(file).state_dict, "weights.pt")',
  ],
  [
    /\/\.data\/extern_modules$/,
    'this is a torch.package; in PyTorch, load its model and torch.save(model.state_dict(), "weights.pt")',
  ],
  [
    /\.npy$/,
    'this is an .npz of numpy; in Python: safetensors.numpy.save_file(dict(numpy.load(file)), "weights.safetensors")',
  ],
  [/\.weights\.h5$/, 'this is a model of Keras; only weights of PyTorch are read'],
  [/\.(pth?|bin|ckpt|safetensors)$/, 'this is a zip with weights in it; unzip it first'],
]

/**
 * What torch.save has written since PyTorch 1.6: a zip of one folder of any name, with the pickle in `data.pkl` and the values
 * in `data/<key>`, not compressed. Throws when it is something else.
 */
export async function readPytorchZip(file: WeightFile): Promise<WeightFileContents> {
  const records = await readZip(file)
  const names = [...records.keys()]
  const pickles = names.filter((name) => /^[^/]+\/data\.pkl$/.test(name))
  const other = OTHER_ZIPS.find(([pattern]) => names.some((name) => pattern.test(name)))
  if (other && (pickles.length === 0 || other[0] === TORCHSCRIPT)) throw new Error(other[1])
  const [pickle] = pickles
  if (pickle === undefined) throw new Error('this is a zip, but not of PyTorch: it has no data.pkl')
  if (pickles.length > 1) throw new Error(`this zip has two checkpoints: ${printable(pickles.join(', '))}`)

  const folder = pickle.slice(0, -'data.pkl'.length)
  const bigEndian = isBigEndian(file, records.get(`${folder}byteorder`))
  const root = inFile(printable(pickle), () =>
    readPickle(openRecord(file, records.get(pickle) as ZipRecord, MAX_PICKLE_BYTES)),
  )
  const storages = (key: string): StoredStorage => {
    const record = records.get(`${folder}data/${key}`)
    if (record === undefined) throw new Error('has no values in the file')
    if (record.isEncrypted || !record.isStored)
      throw new Error('is compressed or encrypted, which torch.save does not do')
    return { file, from: record.from, bytes: record.bytes, bigEndian }
  }
  const stateDicts = findStateDicts(root, storages, file.bytes)
  return { format: 'PyTorch zip', stateDicts, leftOver: describeLeftOver(root, stateDicts) }
}

/** Old files do not say; they were written on little-endian machines. */
function isBigEndian(file: WeightFile, record: ZipRecord | undefined): boolean {
  if (record === undefined) return false
  const order = openRecord(file, record, 16).take(record.bytes).toString()
  if (order !== 'little' && order !== 'big') throw new Error('its byteorder is neither little nor big')
  return order === 'big'
}

import { countValues } from '../resnet/graph.ts'
import { type DType, findDType } from './dtype.ts'
import {
  asDict,
  isCount,
  PickleGlobal,
  PickleObject,
  type PickleValue,
  printable,
  StorageReference,
} from './pickle-value.ts'
import type { StoredTensor } from './stored-tensor.ts'
import type { WeightFile } from './weight-file.ts'

/** Where the bytes of a storage lie. */
export interface StoredStorage {
  file: WeightFile
  from: number
  bytes: number
  bigEndian: boolean
}

/** By key. Throws the reason why a storage cannot be read. */
export type Storages = (key: string) => StoredStorage

/** PyTorch's own limit. */
const MAX_DIMENSIONS = 64

/** A parameter is a tensor and what training needs; of very old files, a Variable too. */
const WRAPPERS = [
  'torch._utils._rebuild_parameter',
  'torch._utils._rebuild_parameter_with_state',
  'torch.nn.parameter.Parameter',
  'torch.autograd.variable.Variable',
]

const UNREADABLE = new Map([
  ['torch._utils._rebuild_qtensor', 'is quantised; in PyTorch, dequantize() makes it readable'],
  ['torch._utils._rebuild_sparse_tensor', 'is sparse; in PyTorch, to_dense() makes it readable'],
  ['torch._utils._rebuild_nested_tensor', 'is a nested tensor'],
  ['torch._utils._rebuild_meta_tensor_no_storage', 'is on the device meta and has no values'],
])

export function isTensor(value: PickleValue): value is PickleObject {
  if (!(value instanceof PickleObject)) return false
  return /^torch\._(utils\._rebuild_|tensor\._rebuild_from_type)/.test(value.class) || WRAPPERS.includes(value.class)
}

/** What the functions of `torch._utils` make of it, checked against its storage. Throws the reason why it cannot be read. */
export function rebuildTensor(tensor: PickleObject, storages: Storages): StoredTensor {
  const { class: builder, args } = unwrap(tensor)
  const [storage, offset, size, stride] = args
  const isV3 = builder === 'torch._utils._rebuild_tensor_v3'
  if (!isV3 && !/^torch\._utils\._rebuild_tensor(_v2)?$/.test(builder)) {
    throw new Error(UNREADABLE.get(builder) ?? `is built by ${printable(builder)}`)
  }
  if (!(storage instanceof StorageReference)) throw new Error('has no storage')
  const dtype = isV3 ? dtypeOf(args[6]) : dtypeOfStorage(storage)
  // {'conj': True} or {'neg': True}: the values are not those of the storage.
  const metadata = asDict(args[isV3 ? 7 : 6])
  if ([...(metadata?.values() ?? [])].includes(true)) throw new Error('is a conjugate or negative view')
  return storedView(storage, dtype, { offset, shape: sizes(size), stride: sizes(stride) }, storages)
}

/** Nobody wraps a tensor more often than a parameter of a subclass does. */
function unwrap(tensor: PickleObject): PickleObject {
  let inner: PickleValue | undefined = tensor
  for (let depth = 0; depth < 4; depth++) {
    if (!(inner instanceof PickleObject)) break
    const [first, , args]: PickleValue[] = inner.args
    if (WRAPPERS.includes(inner.class)) inner = first
    else if (inner.class !== 'torch._tensor._rebuild_from_type_v2') return inner
    // (function, class, arguments, attributes)
    else inner = first instanceof PickleGlobal && Array.isArray(args) ? new PickleObject(first.name, args) : undefined
  }
  throw new Error('is a malformed tensor')
}

interface View {
  offset: PickleValue | undefined
  shape: number[]
  stride: number[]
}

function storedView(storage: StorageReference, dtype: DType, view: View, storages: Storages): StoredTensor {
  const { name, bytes: width, toFloat32 } = dtype
  const { offset, shape, stride } = view
  if (toFloat32 === undefined) throw new Error(`is ${name}`)
  if (!isCount(offset) || stride.length !== shape.length) throw new Error('is a malformed tensor')
  if (shape.includes(0)) return { dtype: name, shape, read: () => new Float32Array(0) }
  // Neither this nor what follows overflows; what is rounded is beyond every storage.
  const span = shape.reduce((last, size, axis) => last + (size - 1) * (stride[axis] as number), 0) + 1
  const { file, from, bytes, bigEndian } = storages(storage.key)
  const unit = dtypeOfStorage(storage).bytes
  const start = storage.offset * unit
  const end = start + storage.elements * unit
  if (end > bytes) throw new Error(`has a storage of ${end} bytes, of which the file holds ${bytes}`)
  if (start + (offset + span) * width > end) throw new Error('reaches beyond its storage')
  const read = (): Float32Array => {
    const stored = file.read(from + start + offset * width, span * width)
    if (!bigEndian) return gather(toFloat32(stored.buffer), shape, stride)
    // All bytes turned round are the last value first, in our byte order.
    return gather(toFloat32(stored.reverse().buffer).reverse(), shape, stride)
  }
  return { dtype: name, shape, read }
}

/** Row-major values of a view, of whose storage `values` are those from its first one to its last one. */
function gather(values: Float32Array, shape: number[], stride: number[]): Float32Array {
  const isRowMajor = shape.every((size, axis) => size === 1 || stride[axis] === countValues(shape.slice(axis + 1)))
  if (isRowMajor) return values
  const out = new Float32Array(countValues(shape))
  const index = shape.map(() => 0)
  let from = 0
  for (let i = 0; i < out.length; i++) {
    out[i] = values[from] as number
    // The next index, the last axis first, as an odometer counts.
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      from += stride[axis] as number
      index[axis] = (index[axis] as number) + 1
      if (index[axis] !== shape[axis]) break
      from -= (stride[axis] as number) * (shape[axis] as number)
      index[axis] = 0
    }
  }
  return out
}

function sizes(value: PickleValue | undefined): number[] {
  // A torch.Size is called with the sizes.
  const list = value instanceof PickleObject ? value.args[0] : value
  if (!Array.isArray(list) || list.length > MAX_DIMENSIONS || !list.every(isCount))
    throw new Error('is a malformed tensor')
  return [...list]
}

function dtypeOf(value: PickleValue | undefined): DType {
  const name = value instanceof PickleGlobal ? value.name.replace(/^torch\./, '') : ''
  const dtype = findDType('name', name)
  if (dtype === undefined) throw new Error(`is ${printable(name) || 'of no type'}`)
  return dtype
}

/** 'torch.FloatStorage', 'torch.cuda.HalfStorage', 'torch.storage.UntypedStorage', ... */
export function dtypeOfStorage({ class: name }: StorageReference): DType {
  const type = /^torch\.(?:\w+\.)*(\w+)Storage$/.exec(name)?.[1] ?? ''
  const dtype = /^_?Untyped$/.test(type) ? findDType('name', 'uint8') : findDType('storage', type)
  if (dtype === undefined) throw new Error(`has a storage of type ${printable(name)}`)
  return dtype
}

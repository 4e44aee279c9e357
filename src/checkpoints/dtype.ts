import { bfloat16ToFloat32, float16ToFloat32 } from '../repository/float16.ts'

/** A type of values. */
export interface DType {
  /** PyTorch's name, without `torch.`. */
  name: string
  /** Of one value. */
  bytes: number
  /** `Float` of the FloatStorage in a pickle. Newer types have no such class. */
  storage?: string
  safetensors?: string
  /** Of little-endian bytes. Absent where a value is no real number (complex), or needs a scale (quantised). */
  toFloat32?: (bytes: ArrayBuffer) => Float32Array
}

const numbers = (Values: new (bytes: ArrayBuffer) => ArrayLike<number>) => (bytes: ArrayBuffer) =>
  new Float32Array(new Values(bytes))

/** PyTorch's `_dtype_to_storage_type_map`, and what the safetensors format has beside them. */
const DTYPES: DType[] = [
  { name: 'float64', bytes: 8, storage: 'Double', safetensors: 'F64', toFloat32: numbers(Float64Array) },
  // No copy: these are nearly all bytes of nearly all files.
  { name: 'float32', bytes: 4, storage: 'Float', safetensors: 'F32', toFloat32: (bytes) => new Float32Array(bytes) },
  { name: 'float16', bytes: 2, storage: 'Half', safetensors: 'F16', toFloat32: (bytes) => fromHalf(bytes) },
  { name: 'bfloat16', bytes: 2, storage: 'BFloat16', safetensors: 'BF16', toFloat32: (bytes) => fromBfloat16(bytes) },
  { name: 'int64', bytes: 8, storage: 'Long', safetensors: 'I64', toFloat32: (bytes) => fromInt64(bytes) },
  { name: 'int32', bytes: 4, storage: 'Int', safetensors: 'I32', toFloat32: numbers(Int32Array) },
  { name: 'int16', bytes: 2, storage: 'Short', safetensors: 'I16', toFloat32: numbers(Int16Array) },
  { name: 'int8', bytes: 1, storage: 'Char', safetensors: 'I8', toFloat32: numbers(Int8Array) },
  { name: 'uint64', bytes: 8, safetensors: 'U64', toFloat32: (bytes) => fromUint64(bytes) },
  { name: 'uint32', bytes: 4, safetensors: 'U32', toFloat32: numbers(Uint32Array) },
  { name: 'uint16', bytes: 2, safetensors: 'U16', toFloat32: numbers(Uint16Array) },
  { name: 'uint8', bytes: 1, storage: 'Byte', safetensors: 'U8', toFloat32: numbers(Uint8Array) },
  { name: 'bool', bytes: 1, storage: 'Bool', safetensors: 'BOOL', toFloat32: numbers(Uint8Array) },
  { name: 'complex64', bytes: 8, storage: 'ComplexFloat', safetensors: 'C64' },
  { name: 'complex128', bytes: 16, storage: 'ComplexDouble' },
  { name: 'qint8', bytes: 1, storage: 'QInt8' },
  { name: 'qint32', bytes: 4, storage: 'QInt32' },
  { name: 'quint8', bytes: 1, storage: 'QUInt8' },
  { name: 'quint4x2', bytes: 1, storage: 'QUInt4x2' },
  { name: 'quint2x4', bytes: 1, storage: 'QUInt2x4' },
]

const fromHalf = (bytes: ArrayBuffer): Float32Array => float16ToFloat32(new Uint16Array(bytes))
const fromBfloat16 = (bytes: ArrayBuffer): Float32Array => bfloat16ToFloat32(new Uint16Array(bytes))
const fromInt64 = (bytes: ArrayBuffer): Float32Array => Float32Array.from(new BigInt64Array(bytes), Number)
const fromUint64 = (bytes: ArrayBuffer): Float32Array => Float32Array.from(new BigUint64Array(bytes), Number)

export const findDType = (key: 'name' | 'storage' | 'safetensors', value: string): DType | undefined =>
  DTYPES.find((dtype) => dtype[key] === value)

import { countValues } from '../resnet/graph.ts'
import { isCounter, StateDict, type Tensor } from '../resnet/state-dict.ts'
import { float16ToFloat32 } from './float16.ts'

/**
 * The safetensors file format: uint64 little-endian header length, JSON header
 * `{name: {dtype, shape, data_offsets: [from, to]}}`, then the tensors' bytes. F32 and F16 only.
 */
interface Entry {
  dtype: string
  shape: number[]
  data_offsets: [number, number]
}

/** The specification's limit. */
const MAX_HEADER_BYTES = 100_000_000

/** Bytes of a value, by type. */
const WIDTHS = new Map([
  ['F32', 4],
  ['F16', 2],
])

/** Reads every tensor as float32. Throws on anything that the format forbids, naming the tensor. */
export function readSafetensors(file: Buffer): StateDict {
  if (file.length < 8) throw new Error('safetensors: the file is shorter than its header')
  const headerBytes = Number(file.readBigUInt64LE(0))
  if (headerBytes > MAX_HEADER_BYTES || 8 + headerBytes > file.length) {
    throw new Error('safetensors: the header is longer than the file')
  }
  const header = parseHeader(file.subarray(8, 8 + headerBytes))
  const data = file.subarray(8 + headerBytes)
  const entries = Object.entries(header).filter(([name]) => name !== '__metadata__')
  const isRead = ([name]: [string, Entry]): boolean => !isCounter(name)
  // The whole header first: tensors that share their bytes would take many times the file's size.
  for (const [name, entry] of entries) assertWellFormed(name, entry)
  for (const [name, entry] of entries.filter(isRead)) assertSize(name, entry, data.length)
  assertEndToEnd(entries, data.length)
  return new StateDict(entries.filter(isRead).map(([name, entry]) => [name, readTensor(entry, data)]))
}

function parseHeader(bytes: Buffer): Record<string, Entry> {
  let header: unknown
  try {
    header = JSON.parse(bytes.toString('utf8'))
  } catch {
    throw new Error('safetensors: the header is not JSON')
  }
  if (typeof header !== 'object' || header === null || Array.isArray(header)) {
    throw new Error('safetensors: the header is not an object')
  }
  return header as Record<string, Entry>
}

function assertWellFormed(name: string, entry: Partial<Entry> | null): void {
  if (!isSizes(entry?.shape) || !isSizes(entry.data_offsets) || entry.data_offsets.length !== 2) {
    throw new Error(`safetensors: the header of ${name} is malformed`)
  }
}

/** The format's rule: the tensors cover all bytes without overlap, in whatever order the header has them. */
function assertEndToEnd(entries: [string, Entry][], dataBytes: number): void {
  const offsets = entries.map(([name, entry]) => ({ name, from: entry.data_offsets[0], to: entry.data_offsets[1] }))
  let end = 0
  for (const { name, from, to } of offsets.sort((a, b) => a.from - b.from || a.to - b.to)) {
    if (from !== end) throw new Error(`safetensors: the bytes of ${name} do not follow those of the tensor before it`)
    end = to
  }
  if (end !== dataBytes) throw new Error(`safetensors: the tensors have ${end} bytes, the file holds ${dataBytes}`)
}

function assertSize(name: string, { dtype, shape, data_offsets: [from, to] }: Entry, dataBytes: number): void {
  const width = WIDTHS.get(dtype)
  if (width === undefined) throw new Error(`safetensors: ${name} is ${dtype}; F32 and F16 are supported`)
  // A count beyond all numbers is Infinity or, times zero, NaN: neither is a number of bytes.
  if (to > dataBytes || to - from !== countValues(shape) * width) {
    throw new Error(`safetensors: the bytes of ${name} do not match its shape`)
  }
}

function readTensor({ dtype, shape, data_offsets: [from, to] }: Entry, data: Buffer): Tensor {
  // Copied, to align the data and to release the file.
  const bytes = new Uint8Array(data.subarray(from, to))
  const values = dtype === 'F32' ? new Float32Array(bytes.buffer) : float16ToFloat32(new Uint16Array(bytes.buffer))
  return { shape, data: values }
}

function isSizes(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && size >= 0)
}

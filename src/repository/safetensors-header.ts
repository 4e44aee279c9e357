import { countValues } from '../resnet/graph.ts'

/**
 * The header of a safetensors file (https://github.com/huggingface/safetensors): uint64 little-endian length, then JSON
 * `{name: {dtype, shape, data_offsets: [from, to]}}`, then the tensors' bytes, row-major and little-endian.
 */
export interface SafetensorsHeader {
  /** In the order of the file. */
  tensors: [string, SafetensorsEntry][]
  /** What the writer wrote beside them. */
  metadata: unknown
  /** Offsets count from here. */
  dataStart: number
}

export interface SafetensorsEntry {
  dtype: string
  shape: number[]
  data_offsets: [number, number]
}

/** 100,000 tensors have 10 MB, and take 20 times as much once read. The specification allows 100 MB. */
const MAX_HEADER_BYTES = 10_000_000

/** Bytes of a value, by type. Others that the format has (of less than a byte) are left to who reads the values. */
const WIDTHS = new Map([
  ...['F64', 'I64', 'U64', 'C64'].map((dtype) => [dtype, 8] as const),
  ...['F32', 'I32', 'U32'].map((dtype) => [dtype, 4] as const),
  ...['F16', 'BF16', 'I16', 'U16'].map((dtype) => [dtype, 2] as const),
  ...['I8', 'U8', 'BOOL', 'F8_E4M3', 'F8_E5M2', 'F8_E8M0'].map((dtype) => [dtype, 1] as const),
])

/**
 * Reads the header of a file of `fileBytes`, parts of which `read` gives. Throws on anything that the format forbids, naming
 * the tensor: then all bytes belong to one tensor each, and reading all takes no more than they are.
 */
export function readSafetensorsHeader(
  fileBytes: number,
  read: (from: number, length: number) => Buffer,
): SafetensorsHeader {
  if (fileBytes < 8) throw new Error('safetensors: the file is shorter than its header')
  const headerBytes = Number(read(0, 8).readBigUInt64LE())
  const dataStart = 8 + headerBytes
  if (dataStart > fileBytes) throw new Error('safetensors: the header is longer than the file')
  if (headerBytes > MAX_HEADER_BYTES) {
    throw new Error(`safetensors: the header has ${headerBytes} bytes; at most ${MAX_HEADER_BYTES} are read`)
  }
  const { __metadata__: metadata, ...header } = parse(read(8, headerBytes))
  const tensors = Object.entries(header)
  const dataBytes = fileBytes - dataStart
  for (const [name, entry] of tensors) assertWellFormed(name, entry)
  for (const [name, entry] of tensors) assertSize(name, entry, dataBytes)
  assertEndToEnd(tensors, dataBytes)
  return { tensors, metadata, dataStart }
}

function parse(bytes: Buffer): Record<string, SafetensorsEntry> {
  let header: unknown
  try {
    header = JSON.parse(bytes.toString('utf8'))
  } catch {
    throw new Error('safetensors: the header is not JSON')
  }
  if (typeof header !== 'object' || header === null || Array.isArray(header)) {
    throw new Error('safetensors: the header is not an object')
  }
  return header as Record<string, SafetensorsEntry>
}

function assertWellFormed(name: string, entry: Partial<SafetensorsEntry> | null): void {
  if (
    typeof entry?.dtype !== 'string' ||
    !isSizes(entry.shape) ||
    !isSizes(entry.data_offsets) ||
    entry.data_offsets.length !== 2
  ) {
    throw new Error(`safetensors: the header of ${name} is malformed`)
  }
}

function assertSize(
  name: string,
  { dtype, shape, data_offsets: [from, to] }: SafetensorsEntry,
  dataBytes: number,
): void {
  const width = WIDTHS.get(dtype)
  if (width === undefined) return
  // A count beyond all numbers is Infinity or, times zero, NaN: neither is a number of bytes.
  if (to > dataBytes || to - from !== countValues(shape) * width) {
    throw new Error(`safetensors: the bytes of ${name} do not match its shape`)
  }
}

/** The format's rule: the tensors cover all bytes without overlap, in whatever order the header has them. */
function assertEndToEnd(tensors: [string, SafetensorsEntry][], dataBytes: number): void {
  const offsets = tensors.map(
    ([
      name,
      {
        data_offsets: [from, to],
      },
    ]) => ({ name, from, to }),
  )
  let end = 0
  for (const { name, from, to } of offsets.sort((a, b) => a.from - b.from || a.to - b.to)) {
    if (from !== end) throw new Error(`safetensors: the bytes of ${name} do not follow those of the tensor before it`)
    end = to
  }
  if (end !== dataBytes) throw new Error(`safetensors: the tensors have ${end} bytes, the file holds ${dataBytes}`)
}

function isSizes(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && size >= 0)
}

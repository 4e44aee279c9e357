import { crc32, inflateSync } from 'node:zlib'
import type { ImageSize } from './image-size.ts'
import type { Pixels } from './pixels.ts'

const SIGNATURE_BYTES = 8
/** Length, type and CRC around each chunk's data. */
const CHUNK_OVERHEAD = 12

/** What compression may add to the pixels, and other chunks to the file. */
const MAX_EXTRA_BYTES = 64 * 1024
/** More chunks than any encoder makes of so few pixels. */
const MAX_CHUNKS = 64

/** Channels by colour type (PNG specification, 11.2.1). Palettes (3) are left to sharp. */
const CHANNELS: Partial<Record<number, Pixels['channels']>> = { 0: 1, 2: 3, 4: 2, 6: 4 }

/** Chunks that do not change pixel values. Others may (palette, colour profile, gamma, orientation). */
const HARMLESS = new Set(['IHDR', 'IDAT', 'IEND', 'pHYs', 'sRGB', 'tEXt', 'tIME', 'zTXt', 'iTXt', 'bKGD', 'sBIT'])

/**
 * Reads a small PNG with eight bits per channel and no interlacing. For 28 x 28 pixels this takes 0.03 ms of CPU; sharp
 * takes 0.8 ms, nearly all of it set-up. Undefined for any other file, damaged ones included: sharp then decides, so only
 * sharp refuses files. Inflates no more bytes than `size` needs.
 */
export function readSmallPng(bytes: Uint8Array, { width, height }: ImageSize): Pixels | undefined {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const channels = plainChannels(file)
  if (channels === undefined || width < 1 || height < 1) return undefined
  const rawBytes = (width * channels + 1) * height
  if (file.length > rawBytes + MAX_EXTRA_BYTES) return undefined
  const compressed = imageData(file)
  const raw = compressed && inflate(compressed, rawBytes)
  const data = raw && unfilter(raw, width * channels, height, channels)
  return data && { data, width, height, channels }
}

/** Channels of a plain PNG; undefined for any other. */
function plainChannels(file: Buffer): Pixels['channels'] | undefined {
  if (file.length < SIGNATURE_BYTES + CHUNK_OVERHEAD + 13) return undefined
  if (file.toString('latin1', 12, 16) !== 'IHDR' || file.readUInt32BE(8) !== 13) return undefined
  const [depth, colourType, compression, filter, interlace] = file.subarray(24, 29)
  const plain = depth === 8 && compression === 0 && filter === 0 && interlace === 0
  return plain ? CHANNELS[colourType as number] : undefined
}

/**
 * The data of all IDAT chunks. Undefined unless the whole file consists of harmless, undamaged chunks: one IHDR first, and
 * IDATs that follow one another (PNG specification, 5.6).
 */
function imageData(file: Buffer): Buffer | undefined {
  const parts: Buffer[] = []
  let before = ''
  let at = SIGNATURE_BYTES
  for (let chunks = 0; chunks < MAX_CHUNKS && at + CHUNK_OVERHEAD <= file.length; chunks++) {
    const length = file.readUInt32BE(at)
    const end = at + CHUNK_OVERHEAD + length
    const type = file.toString('latin1', at + 4, at + 8)
    if (end > file.length || !HARMLESS.has(type) || (type === 'IHDR') !== (chunks === 0)) return undefined
    if (crc32(file.subarray(at + 4, end - 4)) !== file.readUInt32BE(end - 4)) return undefined
    if (type === 'IDAT') {
      if (parts.length > 0 && before !== 'IDAT') return undefined
      parts.push(file.subarray(at + 8, end - 4))
    }
    if (type === 'IEND') return end === file.length && parts.length > 0 ? Buffer.concat(parts) : undefined
    before = type
    at = end
  }
  return undefined
}

/** Undefined unless the result has exactly `length` bytes. */
function inflate(compressed: Buffer, length: number): Buffer | undefined {
  try {
    const raw = inflateSync(compressed, { maxOutputLength: length })
    return raw.length === length ? raw : undefined
  } catch {
    return undefined
  }
}

/**
 * Reverses the filters (PNG specification, 9.2): each byte is stored as the difference to a prediction from its neighbours.
 * `stride` is the bytes of a row.
 */
function unfilter(raw: Buffer, stride: number, height: number, channels: number): Uint8Array | undefined {
  const pixels = new Uint8Array(stride * height)
  for (let y = 0; y < height; y++) {
    const filter = raw[y * (stride + 1)] as number
    const from = y * (stride + 1) + 1
    const to = y * stride
    if (filter > 4) return undefined
    for (let i = 0; i < stride; i++) {
      const left = i >= channels ? (pixels[to + i - channels] as number) : 0
      const up = y > 0 ? (pixels[to + i - stride] as number) : 0
      const corner = i >= channels && y > 0 ? (pixels[to + i - stride - channels] as number) : 0
      pixels[to + i] = (raw[from + i] as number) + predict(filter, left, up, corner)
    }
  }
  return pixels
}

function predict(filter: number, left: number, up: number, corner: number): number {
  switch (filter) {
    case 0:
      return 0
    case 1:
      return left
    case 2:
      return up
    case 3:
      return (left + up) >> 1
    default:
      return paeth(left, up, corner)
  }
}

/** The neighbour nearest to left + up - corner; among equals, the first in the order left, up, corner. */
function paeth(left: number, up: number, corner: number): number {
  const toLeft = Math.abs(up - corner)
  const toUp = Math.abs(left - corner)
  const toCorner = Math.abs(left + up - 2 * corner)
  if (toLeft <= toUp && toLeft <= toCorner) return left
  return toUp <= toCorner ? up : corner
}

import { crc32, deflateSync } from 'node:zlib'

export interface PngHeader {
  width: number
  height: number
  depth?: number
  colourType?: number
  interlace?: number
}

/** A PNG of these chunks between its header and its end. Grey in eight bits unless told otherwise. */
export function writePng(
  { width, height, depth = 8, colourType = 0, interlace = 0 }: PngHeader,
  chunks: Buffer[],
): Buffer {
  const header = Buffer.alloc(13)
  header.writeUInt32BE(width, 0)
  header.writeUInt32BE(height, 4)
  header.set([depth, colourType, 0, 0, interlace], 8)
  const signature = Buffer.from('\x89PNG\r\n\x1a\n', 'latin1')
  return Buffer.concat([signature, chunk('IHDR', header), ...chunks, chunk('IEND', Buffer.alloc(0))])
}

/** The pixels' chunk: rows, each with its filter in front. */
export function pixelChunk(rows: Uint8Array): Buffer {
  return chunk('IDAT', deflateSync(rows))
}

export function chunk(type: string, data: Uint8Array): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data])
  const frame = Buffer.alloc(8)
  frame.writeUInt32BE(data.length, 0)
  frame.writeUInt32BE(crc32(body), 4)
  return Buffer.concat([frame.subarray(0, 4), body, frame.subarray(4)])
}

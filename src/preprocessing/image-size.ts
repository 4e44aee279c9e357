import type { ImageFormat } from './image-format.ts'

export interface ImageSize {
  width: number
  height: number
  /** Of a JPEG with four channels: CMYK, or YCCK, which decodes to CMYK. */
  isCmyk?: boolean
}

/**
 * Width and height from the header of a PNG, JPEG or WebP: enough to refuse a picture before decoding. Undefined if they
 * are not found; the decoder then judges the picture.
 *
 * Sources: PNG (third edition) 11.2.1 IHDR; ITU-T T.81 B.2.2 frame header; WebP container specification, VP8, VP8L, VP8X.
 */
export function imageSize(bytes: Uint8Array, format: ImageFormat): ImageSize | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  try {
    switch (format) {
      case 'png':
        return { width: view.getUint32(16), height: view.getUint32(20) }
      case 'jpeg':
        return jpegSize(view)
      case 'webp':
        return webpSize(view)
    }
  } catch (error) {
    // The file ends before the size.
    if (!(error instanceof RangeError)) throw error
    return undefined
  }
}

/** More than a camera writes before the frame header, stray bytes included. It bounds the walk through a made-up file. */
const MAX_STEPS = 100_000

/**
 * Skips segments (marker, length) up to the frame header: SOF0..SOF15 except DHT, JPG and DAC. Passes over stray bytes
 * between them, as libjpeg does (next_marker).
 */
function jpegSize(view: DataView): ImageSize | undefined {
  let offset = 2
  for (let steps = 0; steps < MAX_STEPS; steps++) {
    if (view.getUint8(offset) !== 0xff) {
      offset++
      continue
    }
    const marker = view.getUint8(offset + 1)
    if (marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc) {
      const channels = view.getUint8(offset + 9)
      const size = { width: view.getUint16(offset + 7), height: view.getUint16(offset + 5) }
      return channels === 4 ? { ...size, isCmyk: true } : size
    }
    // Fill bytes (FF), and what has no segment: a stray FF 00, TEM, RST, SOI.
    if (marker === 0xff) offset += 1
    else if (marker <= 0x01 || (marker >= 0xd0 && marker <= 0xd8)) offset += 2
    else offset += 2 + view.getUint16(offset + 2)
  }
  return undefined
}

function webpSize(view: DataView): ImageSize | undefined {
  const uint24 = (offset: number): number => view.getUint16(offset, true) | (view.getUint8(offset + 2) << 16)
  switch (view.getUint8(15)) {
    case 0x20: // 'VP8 '
      return { width: view.getUint16(26, true) & 0x3fff, height: view.getUint16(28, true) & 0x3fff }
    case 0x4c: {
      // 'VP8L': 14 bits each, less one
      const bits = view.getUint32(21, true)
      return { width: (bits & 0x3fff) + 1, height: ((bits >>> 14) & 0x3fff) + 1 }
    }
    case 0x58: // 'VP8X'
      return { width: uint24(24) + 1, height: uint24(27) + 1 }
  }
  return undefined
}

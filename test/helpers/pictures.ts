import sharp from 'sharp'

/** A PNG of `width` x `height` in one grey. */
export function greyPng(grey: number, width = 3, height = 2): Promise<Buffer> {
  return sharp(Buffer.alloc(width * height, grey), { raw: { width, height, channels: 1 } })
    .png()
    .toBuffer()
}

/** Float32 little-endian bytes. */
export function floats(...values: number[]): Buffer {
  return Buffer.from(Float32Array.from(values).buffer)
}

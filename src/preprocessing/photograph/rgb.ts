import type { PhotographSpec } from '../../repository/input-spec.ts'
import type { Pixels } from '../pixels.ts'

/** Gives row y of a picture as red, green, blue; the array is used again for the next row. */
export type RowReader = (y: number) => Uint8Array

/**
 * Reads rows as Pillow's convert('RGB') and convert('L') give them (src/libImaging/Convert.c). A grey picture is three
 * equal channels.
 */
export function rgbRows(pixels: Pixels, { channels, alpha }: Pick<PhotographSpec, 'channels' | 'alpha'>): RowReader {
  const { data, width } = pixels
  const stride = width * pixels.channels
  const convert = converter(pixels, alpha)
  const isGrey = channels === 'grey'
  if (convert === undefined && !isGrey) return (y) => data.subarray(y * stride, (y + 1) * stride)
  const row = new Uint8Array(width * 3)
  return (y) => {
    if (convert === undefined) row.set(data.subarray(y * stride, (y + 1) * stride))
    else convert(data, y * stride, row)
    if (isGrey) toLuma(row)
    return row
  }
}

/** Writes one row of `data`, which begins at `from`, as red, green, blue. */
type Convert = (data: Uint8Array, from: number, row: Uint8Array) => void

/** Undefined for what is red, green, blue already. */
function converter({ channels, isCmyk }: Pixels, alpha: PhotographSpec['alpha']): Convert | undefined {
  if (isCmyk) return fromCmyk
  if (channels === 3) return undefined
  const isColour = channels > 2
  const hasAlpha = channels === 2 || channels === 4
  const ground = alpha === 'white' ? 255 : 0
  const composites = hasAlpha && alpha !== 'drop'
  return (data, from, row) => {
    for (let p = from, o = 0; o < row.length; p += channels, o += 3) {
      const opacity = composites ? (data[p + channels - 1] as number) : 255
      for (let c = 0; c < 3; c++) {
        const value = data[isColour ? p + c : p] as number
        row[o + c] = opacity === 255 ? value : over255(value * opacity + ground * (255 - opacity))
      }
    }
  }
}

/** `cmyk2rgb`: no colour profile, inks that darken each on its own. */
function fromCmyk(data: Uint8Array, from: number, row: Uint8Array): void {
  for (let p = from, o = 0; o < row.length; p += 4, o += 3) {
    const light = 255 - (data[p + 3] as number)
    for (let c = 0; c < 3; c++) row[o + c] = light - over255((data[p + c] as number) * light)
  }
}

/** A product of two values of eight bits, divided by 255 and rounded (`MULDIV255`). */
function over255(product: number): number {
  const rounded = product + 128
  return ((rounded >> 8) + rounded) >> 8
}

/** Rec. 601 luma in 16 bits (`L24`), in place. */
function toLuma(row: Uint8Array): void {
  for (let o = 0; o < row.length; o += 3) {
    const [red, green, blue] = [row[o] as number, row[o + 1] as number, row[o + 2] as number]
    const luma = (red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16
    row[o] = luma
    row[o + 1] = luma
    row[o + 2] = luma
  }
}

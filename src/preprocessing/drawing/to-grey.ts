import type { Pixels } from '../pixels.ts'
import type { GreyPicture } from './grey-picture.ts'

/**
 * A picture as greys, by Rec. 601 luma. Transparent areas contrast with what is drawn: they become white behind dark
 * strokes and black behind light ones.
 */
export function toGrey({ data: pixels, width, height, channels }: Pixels): GreyPicture {
  const count = width * height
  const data = new Uint8Array(count)
  const colour = channels >= 3
  for (let i = 0, p = 0; i < count; i++, p += channels) {
    const first = pixels[p] as number
    data[i] = colour ? (299 * first + 587 * (pixels[p + 1] as number) + 114 * (pixels[p + 2] as number)) / 1000 : first
  }
  if (channels === 2 || channels === 4) composite(data, pixels, channels)
  return { data, width, height }
}

function composite(data: Uint8Array, pixels: Uint8Array, channels: number): void {
  let seen = 0
  let opacity = 0
  for (let i = 0, p = channels - 1; i < data.length; i++, p += channels) {
    const alpha = pixels[p] as number
    opacity += alpha
    seen += alpha * (data[i] as number)
  }
  if (opacity === 255 * data.length) return
  const ground = seen < 128 * opacity ? 255 : 0
  for (let i = 0, p = channels - 1; i < data.length; i++, p += channels) {
    const alpha = pixels[p] as number
    data[i] = ((data[i] as number) * alpha + ground * (255 - alpha)) / 255
  }
}

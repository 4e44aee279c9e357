import type { GreyPicture } from './grey-picture.ts'
import { aboveGround } from './ground.ts'

/** This share of a picture is ink at the least. Fewer pixels may be specks or noise. */
const LEAST_INK = 1 / 400

/**
 * Ink is what differs most from the ground: 1 when it is lighter, -1 when it is darker, 0 when there is none. The
 * brightness of the whole picture has no part in it. Takes what `aboveGround` gives.
 */
export function inkSide(above: Float32Array): number {
  const histogram = new Uint32Array(511)
  for (const value of above) {
    const bin = Math.min(510, Math.max(0, (value + 255.5) | 0))
    histogram[bin] = (histogram[bin] as number) + 1
  }
  const least = Math.max(1, above.length * LEAST_INK)
  let [darkest, lightest] = [0, 510]
  for (let seen = histogram[darkest] as number; seen < least; ) seen += histogram[++darkest] as number
  for (let seen = histogram[lightest] as number; seen < least; ) seen += histogram[--lightest] as number
  return Math.sign(lightest + darkest - 510)
}

/** Dark on light becomes light on dark. A picture of one grey becomes dark. In place. */
export function invertIfLight({ data, width, height }: GreyPicture): void {
  const side = inkSide(aboveGround({ data, width, height }))
  if (side > 0 || (side === 0 && (data[0] as number) < 128)) return
  for (let i = 0; i < data.length; i++) data[i] = 255 - (data[i] as number)
}

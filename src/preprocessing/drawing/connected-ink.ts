import type { Box, Plane } from './resample.ts'

/** Pixels of ink that are connected, as indices into the picture. */
export type Part = number[]

/** A part smaller than this share of the largest is a speck. The bar of a 5 or a part of a broken 4 is larger. */
const SPECK_SHARE = 0.08

/**
 * The rectangle around all parts of the ink, specks left out; undefined if there are none. Sets specks to zero in `ink`, so
 * that the crop does not contain them.
 */
export function connectedInk(ink: Plane, parts: Part[]): Box | undefined {
  const { data, width, height } = ink
  const largest = parts.reduce((size, part) => Math.max(size, part.length), 0)
  let [left, right, top, bottom] = [width, -1, height, -1]
  for (const part of parts) {
    const speck = part.length < largest * SPECK_SHARE
    for (const pixel of part) {
      if (speck) {
        data[pixel] = 0
        continue
      }
      const x = pixel % width
      const y = (pixel - x) / width
      left = Math.min(left, x)
      right = Math.max(right, x)
      top = Math.min(top, y)
      bottom = Math.max(bottom, y)
    }
  }
  return right < 0 ? undefined : { left, top, width: right - left + 1, height: bottom - top + 1 }
}

/** The pixels of each connected part, by flood fill over all pixels of at least `threshold`. Parts are 8-connected. */
export function findParts({ data: ink, width, height }: Plane, threshold: number): Part[] {
  const seen = new Uint8Array(ink.length)
  const parts: Part[] = []
  for (let start = 0; start < ink.length; start++) {
    if (seen[start] || (ink[start] as number) < threshold) continue
    seen[start] = 1
    const part = [start]
    // `part` is the result and also the queue of pixels whose neighbours must be visited.
    for (let next = 0; next < part.length; next++) {
      const pixel = part[next] as number
      const x = pixel % width
      const y = (pixel - x) / width
      for (let ny = Math.max(0, y - 1); ny <= Math.min(height - 1, y + 1); ny++) {
        for (let nx = Math.max(0, x - 1); nx <= Math.min(width - 1, x + 1); nx++) {
          const neighbour = ny * width + nx
          if (seen[neighbour] || (ink[neighbour] as number) < threshold) continue
          seen[neighbour] = 1
          part.push(neighbour)
        }
      }
    }
    parts.push(part)
  }
  return parts
}

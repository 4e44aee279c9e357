/** A rectangle of whole pixels. */
export interface Box {
  left: number
  top: number
  width: number
  height: number
}

/** One channel of floats, row-major. */
export interface Plane {
  data: Float32Array
  width: number
  height: number
}

/**
 * Scales the part of `plane` in `box` to `width` x `height` with a triangle filter, like Pillow's BILINEAR: the filter is
 * widened for shrinking, so that every source pixel counts. Separable: columns first, then rows.
 */
export function resample(plane: Plane, box: Box, width: number, height: number): Plane {
  const columns = filterWeights(box.width, width)
  const rows = filterWeights(box.height, height)
  const narrow = new Float32Array(width * box.height)
  for (let y = 0; y < box.height; y++) {
    const offset = (box.top + y) * plane.width + box.left
    for (const [x, { first, weights }] of columns.entries()) {
      let sum = 0
      for (let i = 0; i < weights.length; i++) {
        sum += (weights[i] as number) * (plane.data[offset + first + i] as number)
      }
      narrow[y * width + x] = sum
    }
  }
  const data = new Float32Array(width * height)
  for (const [y, { first, weights }] of rows.entries()) {
    for (let i = 0; i < weights.length; i++) {
      const weight = weights[i] as number
      const from = (first + i) * width
      for (let x = 0; x < width; x++) {
        data[y * width + x] = (data[y * width + x] as number) + weight * (narrow[from + x] as number)
      }
    }
  }
  return { data, width, height }
}

/** For each target pixel: its first source pixel, and the weights from there on, which sum to 1. */
function filterWeights(from: number, to: number): { first: number; weights: Float32Array }[] {
  const scale = from / to
  const radius = Math.max(1, scale)
  return Array.from({ length: to }, (_, target) => {
    const centre = (target + 0.5) * scale
    const first = Math.max(0, Math.floor(centre - radius))
    const last = Math.min(from - 1, Math.ceil(centre + radius) - 1)
    const weights = new Float32Array(last - first + 1)
    let sum = 0
    for (let i = 0; i < weights.length; i++) {
      const distance = Math.abs(first + i + 0.5 - centre) / radius
      weights[i] = Math.max(0, 1 - distance)
      sum += weights[i] as number
    }
    return { first, weights: weights.map((weight) => weight / sum) }
  })
}

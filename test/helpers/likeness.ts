const SIDE = 28
/** A digit may lie this many pixels off: its centre of mass moves with the shade of its strokes. */
const SHIFT = 2

/** Cosine of two fields of 28 x 28, one of them moved so that it is greatest. */
export function likeness(a: Float32Array, b: Float32Array): number {
  const length = Math.hypot(...a) * Math.hypot(...b)
  let best = 0
  for (let dy = -SHIFT; dy <= SHIFT; dy++) {
    for (let dx = -SHIFT; dx <= SHIFT; dx++) best = Math.max(best, product(a, b, dx, dy) / (length || 1))
  }
  return best
}

function product(a: Float32Array, b: Float32Array, dx: number, dy: number): number {
  let sum = 0
  for (let y = Math.max(0, -dy); y < Math.min(SIDE, SIDE - dy); y++) {
    for (let x = Math.max(0, -dx); x < Math.min(SIDE, SIDE - dx); x++) {
      sum += (a[y * SIDE + x] as number) * (b[(y + dy) * SIDE + x + dx] as number)
    }
  }
  return sum
}

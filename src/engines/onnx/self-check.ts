import type { Quantization } from '../../repository/quantization.ts'
import type { Graph } from '../../resnet/graph.ts'
import { rowCosines } from '../cosine.ts'
import { randomNumbers } from '../random.ts'

/** Below this cosine between the embeddings in int8 and fp32, int8 is broken here and is not used. */
export const MIN_COSINE = 0.99

const PROBES = 8

/** A probe is interpolated between this many random points along each side. */
const GRID = 4

/** The smallest cosine between rows of two `[count, embeddingSize]` arrays; NaN if they hold a NaN. */
export function smallestCosine(a: Float32Array, b: Float32Array, count: number): number {
  return Math.min(...rowCosines(a, b, count))
}

/**
 * Inputs for a model without a reference, the same each time. They are smooth, like pictures, and within the calibrated
 * range: int8 is not made for noise and outliers.
 */
export function probeInputs({ name, shape }: Graph['input'], { activations }: Quantization) {
  const { scale, zero_point } = activations[name] ?? { scale: 2 / 255, zero_point: 128 }
  const [channels, height, width] = shape
  const next = randomNumbers(1)
  const plane = height * width
  const input = new Float32Array(PROBES * channels * plane)
  for (let start = 0; start < input.length; start += plane) {
    const grid = Array.from({ length: GRID * GRID }, () => scale * (255 * next() - zero_point))
    for (let i = 0; i < plane; i++) {
      input[start + i] = interpolate(grid, Math.floor(i / width) / height, (i % width) / width)
    }
  }
  return { count: PROBES, input }
}

/** Bilinear; `y` and `x` in [0, 1). */
function interpolate(grid: number[], y: number, x: number): number {
  const [top, left] = [Math.floor(y * (GRID - 1)), Math.floor(x * (GRID - 1))]
  const [down, right] = [y * (GRID - 1) - top, x * (GRID - 1) - left]
  const row = (at: number): number =>
    (grid[at * GRID + left] as number) * (1 - right) + (grid[at * GRID + left + 1] as number) * right
  return row(top) * (1 - down) + row(top + 1) * down
}

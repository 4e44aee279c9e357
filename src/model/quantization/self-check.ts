import type { Graph } from '../graph.ts'
import { rowCosines } from './cosine.ts'
import type { Quantization } from './quantization.ts'
import { randomNumbers } from './random.ts'

/** An embedding in int8 less like the one in fp32 than this means that int8 is broken here, and is not served. */
export const MIN_COSINE = 0.99

const PROBES = 4

/** The smallest cosine between the rows of two `[count, embeddingSize]` arrays; NaN where a value is not a number. */
export function smallestCosine(a: Float32Array, b: Float32Array, count: number): number {
  return Math.min(...rowCosines(a, b, count))
}

/** Inputs for a model that brings no reference: always the same numbers, spread over the range that was calibrated. */
export function probeInputs({ name, shape }: Graph['input'], { activations }: Quantization) {
  const { scale, zero_point } = activations[name] ?? { scale: 2 / 255, zero_point: 128 }
  const next = randomNumbers(1)
  const input = new Float32Array(PROBES * shape.reduce((product, size) => product * size, 1))
  for (let i = 0; i < input.length; i++) input[i] = scale * (255 * next() - zero_point)
  return { count: PROBES, input }
}

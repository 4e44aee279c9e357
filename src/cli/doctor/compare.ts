import type { Outputs } from '../../engines/engine.ts'
import { smallestCosine } from '../../engines/onnx/self-check.ts'

/** How far answers are from the reference, over all rows. */
export interface Agreement {
  /** Largest difference of a value over the largest value of its row, embeddings and logits alike. */
  largest_relative_difference: number
  /** Smallest cosine of an embedding and its reference. */
  embedding_cosine: number
}

/** NaN anywhere makes the answer NaN, which no bound accepts. */
export function compare(actual: Outputs, expected: Outputs, count: number): Agreement {
  return {
    largest_relative_difference: Math.max(
      largestRelativeDifference(actual.logits, expected.logits, count),
      largestRelativeDifference(actual.embedding, expected.embedding, count),
    ),
    embedding_cosine: smallestCosine(actual.embedding, expected.embedding, count),
  }
}

/** 0 for vectors without values: the logits of a model without a classifier. */
function largestRelativeDifference(actual: Float32Array, expected: Float32Array, count: number): number {
  if (actual.length !== expected.length) throw new Error(`${actual.length} values instead of ${expected.length}`)
  if (expected.length === 0) return 0
  const size = expected.length / count
  let largest = 0
  for (let row = 0; row < count; row++) {
    let [difference, peak] = [0, 0]
    for (let i = row * size; i < (row + 1) * size; i++) {
      const value = expected[i] as number
      difference = Math.max(difference, Math.abs(value - (actual[i] as number)))
      peak = Math.max(peak, Math.abs(value))
    }
    largest = Math.max(largest, difference / peak)
  }
  return largest
}

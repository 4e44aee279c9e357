import type { Outputs } from '../../engines/engine.ts'
import { smallestCosine } from '../../engines/onnx/self-check.ts'
import { largestRelativeDifference } from '../../engines/relative-difference.ts'

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

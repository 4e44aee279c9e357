import type { CompiledGraph, Outputs } from './engine.ts'

/**
 * Runs every batch at one of `sizes` (ascending). Fills a smaller batch up with copies of its first row, which is valid
 * input, and drops the surplus rows of the answer.
 */
export function padToSizes(graph: CompiledGraph, sizes: readonly number[]): CompiledGraph {
  return {
    ...graph,
    async run(batch): Promise<Outputs> {
      const { input, batchSize } = batch
      const size = paddedSize(batchSize, sizes)
      if (size === batchSize) return graph.run(batch)
      const row = input.length / batchSize
      const padded = new Float32Array(row * size)
      padded.set(input)
      for (let i = batchSize; i < size; i++) padded.copyWithin(i * row, 0, row)
      const { logits, embedding } = await graph.run({ ...batch, input: padded, batchSize: size })
      return {
        logits: logits.subarray(0, (logits.length / size) * batchSize),
        embedding: embedding.subarray(0, (embedding.length / size) * batchSize),
      }
    },
  }
}

/** The sizes for a model of which no batch is larger than `largest`. */
export function sizesUpTo(sizes: readonly number[], largest: number): number[] {
  return [...new Set(sizes.map((size) => Math.min(size, largest)))]
}

/** The smallest of `sizes` that holds the batch; `batchSize` itself if none does. */
export function paddedSize(batchSize: number, sizes: readonly number[]): number {
  return sizes.find((size) => size >= batchSize) ?? batchSize
}

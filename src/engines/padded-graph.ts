import type { CompiledGraph, Outputs } from './engine.ts'

/**
 * Runs every batch at one of `sizes` (ascending): short ones are filled up with their first row, which is valid input
 * and costs no special case in the graph, and the surplus rows of the answer are dropped.
 */
export function padToSizes(graph: CompiledGraph, sizes: readonly number[]): CompiledGraph {
  const { precision, precisionReason } = graph
  return {
    precision,
    precisionReason,
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
    dispose: () => graph.dispose(),
  }
}

/** The smallest allowed size that holds the batch; a batch larger than all of them runs as it is. */
export function paddedSize(batchSize: number, sizes: readonly number[]): number {
  return sizes.find((size) => size >= batchSize) ?? batchSize
}

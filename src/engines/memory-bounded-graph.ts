import { concatenate } from './concatenate.ts'
import { deviceErrorOf } from './device-errors.ts'
import type { Batch, CompiledGraph, Outputs } from './engine.ts'

/**
 * Runs a batch again in halves when it does not fit into the device's memory, and from then on runs no larger batch than
 * fitted. Fails when a single input does not fit.
 */
export function boundByMemory(graph: CompiledGraph, onShrink: (batchSize: number) => void): CompiledGraph {
  let largest = Number.POSITIVE_INFINITY

  const run = async (batch: Batch): Promise<Outputs> => {
    const { batchSize } = batch
    if (batchSize > largest) return halves(batch)
    try {
      return await graph.run(batch)
    } catch (error) {
      if (batchSize === 1 || deviceErrorOf(error) !== 'out_of_memory') throw error
      largest = Math.ceil(batchSize / 2)
      onShrink(largest)
      return halves(batch)
    }
  }

  const halves = async ({ input, batchSize, threads }: Batch): Promise<Outputs> => {
    const middle = Math.ceil(batchSize / 2)
    const row = input.length / batchSize
    // Copied, since an engine may reuse the memory of its answer in the next run.
    const first = structuredClone(await run({ input: input.subarray(0, middle * row), batchSize: middle, threads }))
    const second = await run({ input: input.subarray(middle * row), batchSize: batchSize - middle, threads })
    return {
      logits: concatenate([first.logits, second.logits]),
      embedding: concatenate([first.embedding, second.embedding]),
    }
  }

  return { ...graph, run }
}

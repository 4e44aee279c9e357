import { deviceErrorOf } from './device-errors.ts'
import type { Batch, CompiledGraph, Outputs } from './engine.ts'

/**
 * Goes on when a batch does not fit into the device's memory: it is run again in halves, and no later batch is run
 * larger than what fitted. A single input that does not fit is its own failure.
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
    // Copied, since an engine may answer with memory that its next run uses again.
    const first = structuredClone(await run({ input: input.subarray(0, middle * row), batchSize: middle, threads }))
    const second = await run({ input: input.subarray(middle * row), batchSize: batchSize - middle, threads })
    return {
      logits: concatenate(first.logits, second.logits),
      embedding: concatenate(first.embedding, second.embedding),
    }
  }

  const { precision, precisionReason } = graph
  return { precision, precisionReason, run, dispose: () => graph.dispose() }
}

function concatenate(a: Float32Array, b: Float32Array): Float32Array {
  const both = new Float32Array(a.length + b.length)
  both.set(a)
  both.set(b, a.length)
  return both
}

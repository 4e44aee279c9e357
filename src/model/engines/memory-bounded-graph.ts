import { deviceErrorOf } from './device-errors.ts'
import type { CompiledGraph, Outputs } from './engine.ts'

/**
 * Goes on when a batch does not fit into the device's memory: it is run again in halves, and no later batch is run
 * larger than what fitted. A single input that does not fit is its own failure.
 */
export function boundByMemory(graph: CompiledGraph, onShrink: (batchSize: number) => void): CompiledGraph {
  let largest = Number.POSITIVE_INFINITY

  const run = async (input: Float32Array, batchSize: number, shared?: boolean): Promise<Outputs> => {
    if (batchSize > largest) return halves(input, batchSize, shared)
    try {
      return await graph.run(input, batchSize, shared)
    } catch (error) {
      if (batchSize === 1 || deviceErrorOf(error) !== 'out_of_memory') throw error
      largest = Math.ceil(batchSize / 2)
      onShrink(largest)
      return halves(input, batchSize, shared)
    }
  }

  const halves = async (input: Float32Array, batchSize: number, shared?: boolean): Promise<Outputs> => {
    const middle = Math.ceil(batchSize / 2)
    const row = input.length / batchSize
    // Copied, since an engine may answer with memory that its next run uses again.
    const first = structuredClone(await run(input.subarray(0, middle * row), middle, shared))
    const second = await run(input.subarray(middle * row), batchSize - middle, shared)
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

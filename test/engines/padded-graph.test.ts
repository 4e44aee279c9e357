import { describe, expect, it } from 'vitest'
import type { CompiledGraph } from '../../src/engines/engine.ts'
import { paddedSize, padToSizes, sizesUpTo } from '../../src/engines/padded-graph.ts'

/** Two values an item; logits are their sum, the embedding both of them. */
function sums() {
  const runs: { input: number[]; batchSize: number }[] = []
  let disposed = false
  const graph: CompiledGraph = {
    precision: 'fp32',
    async run({ input, batchSize }) {
      runs.push({ input: [...input], batchSize })
      const logits = Array.from(
        { length: batchSize },
        (_, i) => (input[2 * i] as number) + (input[2 * i + 1] as number),
      )
      return { logits: Float32Array.from(logits), embedding: input.slice() }
    },
    async dispose() {
      disposed = true
    },
  }
  return { graph, runs, isDisposed: () => disposed }
}

describe('padToSizes', () => {
  it('fills a batch up with its first row, and drops what was answered for it', async () => {
    const { graph, runs } = sums()
    const outputs = await padToSizes(graph, [1, 4]).run({ input: Float32Array.of(1, 2, 3, 4, 5, 6), batchSize: 3 })
    expect(runs).toEqual([{ input: [1, 2, 3, 4, 5, 6, 1, 2], batchSize: 4 }])
    expect(outputs).toEqual({ logits: Float32Array.of(3, 7, 11), embedding: Float32Array.of(1, 2, 3, 4, 5, 6) })
  })

  it.each([1, 4, 5])('runs a batch of %i as it is, being of an allowed size or larger than all', async (batchSize) => {
    const { graph, runs } = sums()
    const input = new Float32Array(2 * batchSize).fill(1)
    const { logits } = await padToSizes(graph, [1, 4]).run({ input, batchSize })
    expect(runs).toEqual([{ input: [...input], batchSize }])
    expect(logits).toHaveLength(batchSize)
  })

  it('disposes of the graph inside', async () => {
    const { graph, isDisposed } = sums()
    await padToSizes(graph, [1]).dispose()
    expect(isDisposed()).toBe(true)
  })

  it('chooses the smallest size that holds the batch', () => {
    expect([1, 2, 3, 4, 5].map((size) => paddedSize(size, [1, 2, 4]))).toEqual([1, 2, 4, 4, 5])
  })
})

describe('sizesUpTo', () => {
  it('ends with the largest batch that the model is given', () => {
    const sizes = [1, 2, 4, 8]
    const upTo = (largest: number) => sizesUpTo(sizes, largest)
    expect([1, 3, 4, 8, Number.POSITIVE_INFINITY].map(upTo)).toEqual([[1], [1, 2, 3], [1, 2, 4], sizes, sizes])
  })
})

import { describe, expect, it } from 'vitest'
import type { CompiledGraph } from '../../src/engines/engine.ts'
import { boundByMemory } from '../../src/engines/memory-bounded-graph.ts'

/** A device that holds so many inputs, of two values each, and answers with memory that it uses again. */
function device(holds: number, message = 'OOM when allocating tensor') {
  const sizes: number[] = []
  const answer = new Float32Array(64)
  const graph: CompiledGraph = {
    precision: 'fp16',
    async run({ input, batchSize }) {
      sizes.push(batchSize)
      if (batchSize > holds) throw new Error(message)
      for (let i = 0; i < batchSize; i++) answer[i] = (input[2 * i] as number) + (input[2 * i + 1] as number)
      return { logits: answer.subarray(0, batchSize), embedding: input.slice() }
    },
    async dispose() {},
  }
  const shrunk: number[] = []
  return { sizes, shrunk, graph: boundByMemory(graph, (size) => shrunk.push(size)) }
}

const inputs = (batchSize: number) => ({ input: Float32Array.from({ length: 2 * batchSize }, (_, i) => i), batchSize })
const sums = (count: number): number[] => Array.from({ length: count }, (_, i) => 4 * i + 1)

describe('boundByMemory', () => {
  it('leaves alone what fits', async () => {
    const { graph, sizes, shrunk } = device(8)
    expect([...(await graph.run(inputs(8))).logits]).toEqual(sums(8))
    expect([sizes, shrunk, graph.precision]).toEqual([[8], [], 'fp16'])
  })

  it('halves a batch that does not fit, and answers all of it in order', async () => {
    const { graph, shrunk } = device(2)
    const { logits, embedding } = await graph.run(inputs(7))
    expect([...logits]).toEqual(sums(7))
    expect([...embedding]).toEqual([...inputs(7).input])
    expect(shrunk).toEqual([4, 2])
  })

  it('never again tries what did not fit', async () => {
    const { graph, sizes } = device(4)
    await graph.run(inputs(8))
    sizes.length = 0
    expect([...(await graph.run(inputs(8))).logits]).toEqual(sums(8))
    expect(sizes).toEqual([4, 4])
  })

  it('fails with a single input that does not fit', async () => {
    await expect(device(0).graph.run(inputs(4))).rejects.toThrow('OOM')
  })

  it('passes any other failure on at once', async () => {
    const { graph, sizes } = device(1, 'CUDA_ERROR_ILLEGAL_ADDRESS')
    await expect(graph.run(inputs(4))).rejects.toThrow('ILLEGAL_ADDRESS')
    expect(sizes).toEqual([4])
  })
})

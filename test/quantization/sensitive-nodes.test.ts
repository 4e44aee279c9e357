import { describe, expect, it } from 'vitest'
import { sensitiveNodes } from '../../src/quantization/sensitive-nodes.ts'
import type { Quantization } from '../../src/repository/quantization.ts'

/** A model in which each node in int8 costs the cosine its own share. */
const COSTS: Record<string, number> = { a: 0.001, b: 0.05, c: 0, d: 0.02, e: 0.002 }
const NODES = Object.keys(COSTS)
const QUANTIZATION: Quantization = { activations: {}, fp32: [] }

async function measure({ fp32 }: Quantization): Promise<number> {
  return 1 - NODES.reduce((sum, name) => sum + (fp32.includes(name) ? 0 : (COSTS[name] as number)), 0)
}

describe('sensitiveNodes', () => {
  it('are none where the target is reached without', async () => {
    expect(await sensitiveNodes(NODES, QUANTIZATION, measure, 0.9)).toEqual([])
  })

  it('are the costliest, and no more than are needed', async () => {
    expect(await sensitiveNodes(NODES, QUANTIZATION, measure, 0.94)).toEqual(['b'])
    expect(await sensitiveNodes(NODES, QUANTIZATION, measure, 0.99)).toEqual(['b', 'd'])
    expect(await sensitiveNodes(NODES, QUANTIZATION, measure, 0.9985)).toEqual(['b', 'd', 'e'])
  })

  it('come on top of those that are in fp32 already', async () => {
    const withoutB = NODES.filter((name) => name !== 'b')
    expect(await sensitiveNodes(withoutB, { ...QUANTIZATION, fp32: ['b'] }, measure, 0.99)).toEqual(['d'])
  })

  it('are all of them where nothing less is enough', async () => {
    const never = async ({ fp32 }: Quantization): Promise<number> => (fp32.length === NODES.length ? 1 : 0.5)
    expect((await sensitiveNodes(NODES, QUANTIZATION, never, 0.9)).sort()).toEqual(NODES)
  })

  it('tells how far the search is', async () => {
    const progress: number[] = []
    await sensitiveNodes(NODES, QUANTIZATION, measure, 0.99, (done, total) => progress.push(done / total))
    expect(progress).toEqual([0.2, 0.4, 0.6, 0.8, 1])
  })
})

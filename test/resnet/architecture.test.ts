import { describe, expect, it } from 'vitest'
import { expansion, parseArchitecture } from '../../src/resnet/architecture.ts'

describe('parseArchitecture', () => {
  it.each([
    [18, 'basic', [2, 2, 2, 2]],
    [34, 'basic', [3, 4, 6, 3]],
    [50, 'bottleneck', [3, 4, 6, 3]],
    [101, 'bottleneck', [3, 4, 23, 3]],
    [152, 'bottleneck', [3, 8, 36, 3]],
  ])('knows depth %i', (depth, block, layers) => {
    expect(parseArchitecture({ depth } as object)).toEqual({
      block,
      layers,
      width: 64,
      shortcut: 'projection',
      inChannels: 1,
      embeddingSize: 256,
      numClasses: 9,
    })
  })

  it('takes a block with its layers, and every size', () => {
    const sizes = { width: 2, in_channels: 3, embedding_size: 4, num_classes: 5 }
    expect(parseArchitecture({ block: 'basic', layers: [1], shortcut: 'zero-pad', ...sizes })).toEqual({
      block: 'basic',
      layers: [1],
      width: 2,
      shortcut: 'zero-pad',
      inChannels: 3,
      embeddingSize: 4,
      numClasses: 5,
    })
  })

  it.each([
    ['nothing', {}],
    ['a block without layers', { block: 'basic' }],
    ['layers without a block', { layers: [1] }],
    ['both a depth and a block', { depth: 18, block: 'basic' }],
    ['both a depth and layers', { depth: 18, layers: [2, 2, 2, 2] }],
  ])('refuses %s', (_, json) => {
    expect(() => parseArchitecture(json as object)).toThrow('architecture: give either depth, or block and layers')
  })

  it.each([
    ['an unknown depth', { depth: 20 }],
    ['no stage', { block: 'basic', layers: [] }],
    ['a stage of no blocks', { block: 'basic', layers: [2, 0] }],
    ['no classes', { depth: 18, num_classes: 0 }],
    ['an unknown shortcut', { depth: 18, shortcut: 'none' }],
    ['an unknown field', { depth: 18, dropout: 0.5 }],
  ])('refuses %s', (_, json) => {
    expect(() => parseArchitecture(json as object)).toThrow()
  })

  it('widens a bottleneck four times, and a basic block not at all', () => {
    expect([expansion('basic'), expansion('bottleneck')]).toEqual([1, 4])
  })
})

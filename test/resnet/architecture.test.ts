import { describe, expect, it } from 'vitest'
import { type ArchitectureJson, expansion, innerWidth, parseArchitecture } from '../../src/resnet/architecture.ts'

/** The family of one-channel pictures. */
const DEFAULTS = {
  baseWidth: 64,
  inChannels: 1,
  stem: { convs: [{ out: 64, kernel: 3, stride: 1 }], maxPool: false },
  strideOn: '3x3',
  shortcut: 'projection',
  preactivation: false,
  pool: 'bands',
  hiddenSizes: [],
  hiddenActivation: 'relu',
  embeddingSize: 256,
  numClasses: 9,
}
const bottlenecks = { block: 'bottleneck', layers: [1, 1] }
const basic = { block: 'basic', layers: [1, 1] }
const parse = (json: object) => parseArchitecture(json as ArchitectureJson)

describe('parseArchitecture', () => {
  it.each([
    [18, 'basic', [2, 2, 2, 2]],
    [34, 'basic', [3, 4, 6, 3]],
    [50, 'bottleneck', [3, 4, 6, 3]],
    [101, 'bottleneck', [3, 4, 23, 3]],
    [152, 'bottleneck', [3, 8, 36, 3]],
  ])('knows depth %i', (depth, block, layers) => {
    expect(parse({ depth })).toEqual({ ...DEFAULTS, block, layers, planes: [64, 128, 256, 512] })
  })

  it('takes a block with its layers, and every size', () => {
    const sizes = { width: 2, in_channels: 3, embedding_size: 4, num_classes: 5 }
    expect(parse({ ...basic, shortcut: 'zero-pad', ...sizes })).toEqual({
      ...DEFAULTS,
      block: 'basic',
      layers: [1, 1],
      planes: [2, 4],
      stem: { convs: [{ out: 2, kernel: 3, stride: 1 }], maxPool: false },
      shortcut: 'zero-pad',
      inChannels: 3,
      embeddingSize: 4,
      numClasses: 5,
    })
  })

  it('takes the planes of each stage, the first of them for the stem', () => {
    const { planes, stem } = parse({ ...basic, planes: [12, 20] })
    expect([planes, stem.convs]).toEqual([[12, 20], [{ out: 12, kernel: 3, stride: 1 }]])
  })

  it('takes a stem', () => {
    const convs = [
      { out: 32, kernel: 3, stride: 2 },
      { out: 64, kernel: 7, stride: 1 },
    ]
    expect(parse({ depth: 50, stem: { convs, max_pool: true } }).stem).toEqual({ convs, maxPool: true })
  })

  it.each([
    [18, 512],
    [50, 2048],
  ])('has the pooled vector for an embedding with pool mean: depth %i, %i numbers', (depth, size) => {
    expect(parse({ depth, pool: 'mean' }).embeddingSize).toBe(size)
    expect(parse({ depth, pool: 'mean', num_classes: 0 })).toMatchObject({ embeddingSize: size, numClasses: 0 })
  })

  it.each<[string, object]>([
    ['give either width or planes', { ...basic, width: 64, planes: [64, 128] }],
    ['planes has 3 stages, layers has 2', { ...basic, planes: [1, 2, 3] }],
    ['base_width goes with bottleneck blocks only', { ...basic, base_width: 128 }],
    ['stride_on goes with bottleneck blocks only', { ...basic, stride_on: '3x3' }],
    ['base_width leaves a 3x3 convolution no channels', { ...bottlenecks, width: 8, base_width: 4 }],
    ['preactivation does not go with shortcut zero-pad', { ...basic, preactivation: true, shortcut: 'zero-pad' }],
    ['preactivation does not go with stride_on 1x1', { ...bottlenecks, preactivation: true, stride_on: '1x1' }],
    ['embedding_size goes with pool bands only', { ...basic, pool: 'mean', embedding_size: 256 }],
    ['hidden_sizes goes with pool mean only', { ...basic, hidden_sizes: [10] }],
    ['hidden_activation goes with pool mean only', { ...basic, hidden_activation: 'none' }],
    ['num_classes 0 goes with pool mean only', { ...basic, num_classes: 0 }],
    [
      'hidden_sizes needs a classifier, and num_classes is 0',
      { ...basic, pool: 'mean', hidden_sizes: [9], num_classes: 0 },
    ],
  ])('says: %s', (sentence, json) => {
    expect(() => parse(json)).toThrow(`architecture: ${sentence}`)
  })

  it.each([
    ['nothing', {}],
    ['a block without layers', { block: 'basic' }],
    ['layers without a block', { layers: [1] }],
    ['both a depth and a block', { depth: 18, block: 'basic' }],
    ['both a depth and layers', { depth: 18, layers: [2, 2, 2, 2] }],
  ])('refuses %s', (_, json) => {
    expect(() => parse(json)).toThrow('architecture: give either depth, or block and layers')
  })

  it.each([
    ['an unknown depth', { depth: 20 }],
    ['no stage', { block: 'basic', layers: [] }],
    ['a stage of no blocks', { block: 'basic', layers: [2, 0] }],
    ['fewer classes than none', { depth: 18, num_classes: -1 }],
    ['a stem without convolutions', { depth: 18, stem: { convs: [], max_pool: true } }],
    ['a kernel without a middle', { depth: 18, stem: { convs: [{ out: 64, kernel: 4, stride: 2 }], max_pool: true } }],
    ['stages of more planes than any model has', { block: 'basic', layers: [1], planes: [1e6] }],
    ['an unknown shortcut', { depth: 18, shortcut: 'none' }],
    ['an unknown field', { depth: 18, dropout: 0.5 }],
  ])('refuses %s', (_, json) => {
    expect(() => parse(json)).toThrow()
  })

  it('widens a bottleneck four times, and a basic block not at all', () => {
    expect([expansion('basic'), expansion('bottleneck')]).toEqual([1, 4])
  })

  it('rounds the width of a bottleneck down, as torchvision does', () => {
    expect([innerWidth(64, 64), innerWidth(128, 128), innerWidth(3, 96)]).toEqual([64, 256, 4])
  })
})

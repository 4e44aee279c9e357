import { describe, expect, it } from 'vitest'
import { parseArchitecture } from '../../src/resnet/architecture.ts'
import {
  type ConvNode,
  countMultiplyAdds,
  countParameters,
  type DenseNode,
  type Graph,
  type GraphNode,
  type NormNode,
} from '../../src/resnet/graph.ts'
import { buildResNet } from '../../src/resnet/resnet.ts'
import { StateDict } from '../../src/resnet/state-dict.ts'
import { AnyWeights } from '../helpers/any-weights.ts'

function resnet(json: object, height = 45, width = 31, weights = new AnyWeights()): Graph {
  return buildResNet(parseArchitecture({ width: 1, embedding_size: 4, ...json }), weights, height, width)
}

/** With the global mean as the embedding. */
function meanResnet(json: object, height = 45, width = 31, weights = new AnyWeights()): Graph {
  const stem = { convs: [{ out: 2, kernel: 7 as const, stride: 2 }], max_pool: true }
  const architecture = parseArchitecture({ width: 2, stem, pool: 'mean', ...json })
  return buildResNet(architecture, weights, height, width)
}

const inputsOf = (each: GraphNode): string[] => (each.op === 'add' ? each.inputs : [each.input])

const count = (graph: Graph, op: GraphNode['op']): number => graph.nodes.filter((node) => node.op === op).length

function node(graph: Graph, name: string): GraphNode {
  const found = graph.nodes.find((candidate) => candidate.name === name)
  if (found === undefined) throw new Error(`no node ${name}`)
  return found
}

describe('buildResNet', () => {
  it.each([
    // Stem, convolutions of the blocks, projections where a shape changes.
    [18, 1 + 8 * 2 + 3, 8],
    [34, 1 + 16 * 2 + 3, 16],
    [50, 1 + 16 * 3 + 4, 16],
    [101, 1 + 33 * 3 + 4, 33],
    [152, 1 + 50 * 3 + 4, 50],
  ])('has the convolutions and blocks of depth %i', (depth, convolutions, blocks) => {
    const graph = resnet({ depth })
    expect(count(graph, 'conv')).toBe(convolutions)
    expect(count(graph, 'add')).toBe(blocks)
    expect([count(graph, 'pool'), count(graph, 'dense')]).toEqual([1, 2])
  })

  it('halves odd heights and widths as PyTorch does', () => {
    const graph = resnet({ depth: 18 }, 45, 31)
    const shapes = ['conv1', 'layer1.1', 'layer2.1', 'layer3.1', 'layer4.1', 'pool'].map(
      (name) => node(graph, name).shape,
    )
    expect(shapes).toEqual([[1, 45, 31], [1, 45, 31], [2, 23, 16], [4, 12, 8], [8, 6, 4], [32]])
  })

  it('strides in the 3x3 convolution of a bottleneck, and gives fc its 2048 channels x 4 bands', () => {
    const graph = resnet({ block: 'bottleneck', layers: [1, 1, 1, 1], width: 64, embedding_size: 1 }, 8, 8)
    expect(node(graph, 'layer2.0.conv1')).toMatchObject({ kernel: 1, stride: 1, shape: [128, 8, 8] })
    expect(node(graph, 'layer2.0.conv2')).toMatchObject({ kernel: 3, stride: 2, shape: [128, 4, 4] })
    expect(node(graph, 'layer2.0.conv3')).toMatchObject({ kernel: 1, stride: 1, shape: [512, 4, 4], relu: false })
    expect(node(graph, 'fc')).toMatchObject({ inFeatures: 2048 * 4 })
  })

  it.each([
    ['zero-pad', resnet({ depth: 50, shortcut: 'zero-pad' })],
    ['pre-activation', meanResnet({ depth: 50, preactivation: true, shortcut: 'pooled-projection' })],
  ])('lists each node after those it reads, under a name of its own: %s', (_, graph) => {
    const made = new Set([graph.input.name])
    for (const each of graph.nodes) {
      for (const input of inputsOf(each)) expect(made).toContain(input)
      expect(made).not.toContain(each.name)
      made.add(each.name)
    }
    expect(made).toContain(graph.outputs.logits)
    expect(made).toContain(graph.outputs.embedding)
  })

  it('has no parameters in a zero-pad shortcut, which centres the old channels among zeros', () => {
    const weights = new AnyWeights()
    const graph = resnet({ block: 'basic', layers: [1, 1], width: 3, shortcut: 'zero-pad' }, 5, 5, weights)
    expect([...weights.taken.keys()].filter((name) => name.includes('shortcut'))).toEqual([])
    const expected = { op: 'subsample', stride: 2, padBefore: 1, padAfter: 2, shape: [6, 3, 3] }
    expect(node(graph, 'layer2.0.shortcut')).toMatchObject(expected)
  })

  it('puts all zeros after the old channels with zero-pad-after', () => {
    const graph = resnet({ block: 'basic', layers: [1, 1], width: 3, shortcut: 'zero-pad-after' })
    expect(node(graph, 'layer2.0.shortcut')).toMatchObject({ stride: 2, padBefore: 0, padAfter: 3 })
  })

  it('strides in the first 1x1 of a bottleneck where that is asked for', () => {
    const graph = meanResnet({ depth: 50, stride_on: '1x1' })
    expect(node(graph, 'layer2.0.conv1')).toMatchObject({ kernel: 1, stride: 2 })
    expect(node(graph, 'layer2.0.conv2')).toMatchObject({ kernel: 3, stride: 1 })
  })

  it('widens the 3x3 of bottlenecks by base_width', () => {
    const graph = meanResnet({ depth: 50, width: 3, base_width: 128 })
    const shapes = ['conv1', 'conv2', 'conv3'].map((conv) => node(graph, `layer2.1.${conv}`).shape[0])
    expect(shapes).toEqual([12, 12, 24])
  })

  it('halves odd sizes in stem and max-pool as PyTorch does, and has a stem of one convolution under conv1', () => {
    const graph = meanResnet({ depth: 18 }, 45, 31)
    expect(node(graph, 'conv1')).toMatchObject({ kernel: 7, stride: 2, pad: 3, relu: true, shape: [2, 23, 16] })
    expect(node(graph, 'maxpool')).toMatchObject({ kernel: 3, stride: 2, pad: 1, shape: [2, 12, 8] })
  })

  it('numbers the layers of a deep stem as timm does', () => {
    const weights = new AnyWeights()
    const convs = [3, 4, 5].map((out, i) => ({ out, kernel: 3, stride: i === 0 ? 2 : 1 }))
    const graph = meanResnet({ depth: 18, stem: { convs, max_pool: false } }, 45, 31, weights)
    const names = [...weights.taken.keys()].filter((name) => /^(conv1|bn1)\..*weight$/.test(name))
    expect(names).toEqual(
      ['conv1.0', 'conv1.1', 'conv1.3', 'conv1.4', 'conv1.6', 'bn1'].map((name) => `${name}.weight`),
    )
    expect(graph.nodes.slice(0, 3)).toMatchObject(
      convs.map(({ out }) => ({ op: 'conv', outChannels: out, relu: true })),
    )
  })

  it('averages before a projection with a stride, and projects alone without one', () => {
    const graph = meanResnet({ block: 'bottleneck', layers: [1, 1], shortcut: 'pooled-projection' }, 37, 25)
    expect(node(graph, 'layer1.0.shortcut.0')).toMatchObject({ input: 'maxpool', stride: 1 })
    // 37 x 25 became 10 x 7 in stem and max-pool.
    const pool = { op: 'averagepool', input: 'layer1.0', height: 10, width: 7, shape: [8, 5, 4] }
    expect(node(graph, 'layer2.0.shortcut.pool')).toMatchObject(pool)
    expect(node(graph, 'layer2.0.shortcut.0')).toMatchObject({
      input: 'layer2.0.shortcut.pool',
      stride: 1,
      relu: false,
    })
  })

  it('activates before it convolves in a pre-activation block, and projects what is activated', () => {
    const weights = new AnyWeights()
    const graph = meanResnet({ block: 'basic', layers: [1, 1], preactivation: true }, 45, 31, weights)
    expect(node(graph, 'conv1')).toMatchObject({ relu: false })
    expect(node(graph, 'layer1.0')).toMatchObject({ inputs: ['layer1.0.conv2', 'maxpool'], relu: false })
    expect(node(graph, 'layer2.0.bn1')).toMatchObject({ op: 'norm', input: 'layer1.0', relu: true })
    expect(node(graph, 'layer2.0.conv1')).toMatchObject({ input: 'layer2.0.bn1', stride: 2, relu: true })
    expect(node(graph, 'layer2.0.conv2')).toMatchObject({ input: 'layer2.0.conv1', relu: false })
    expect(node(graph, 'layer2.0.shortcut.0')).toMatchObject({ input: 'layer2.0.bn1', stride: 2 })
    expect(node(graph, 'norm')).toMatchObject({ op: 'norm', input: 'layer2.0', relu: true })
    const norms = [...weights.taken.keys()].filter((name) => name.endsWith('running_var'))
    expect(norms.sort()).toEqual(
      ['layer1.0.bn1', 'layer1.0.bn2', 'layer2.0.bn1', 'layer2.0.bn2', 'norm'].map((name) => `${name}.running_var`),
    )
  })

  it('answers with the pooled vector, and classifies it with one layer or with several', () => {
    const plain = meanResnet({ depth: 18, num_classes: 3 })
    expect(plain.outputs).toEqual({ embedding: 'pool', logits: 'fc' })
    expect(node(plain, 'pool')).toMatchObject({ bands: 1, shape: [16] })
    expect(node(plain, 'fc')).toMatchObject({ input: 'pool', inFeatures: 16, outFeatures: 3, relu: false })
    const hidden = { depth: 18, num_classes: 3, hidden_sizes: [7, 5] }
    for (const hidden_activation of ['relu', 'none'] as const) {
      const graph = meanResnet({ ...hidden, hidden_activation })
      expect(graph.outputs).toEqual({ embedding: 'pool', logits: 'fc.2' })
      const relus = ['fc.0', 'fc.1', 'fc.2'].map((name) => (node(graph, name) as DenseNode).relu)
      expect(relus).toEqual([hidden_activation === 'relu', hidden_activation === 'relu', false])
    }
  })

  it('has no logits without a classifier', () => {
    const graph = meanResnet({ depth: 18, num_classes: 0 })
    expect(graph.outputs).toEqual({ embedding: 'pool' })
    expect(count(graph, 'dense')).toBe(0)
  })

  it('makes a scale and a shift of a batch norm that follows no convolution', () => {
    const given = {
      'norm.weight': [3, 1],
      'norm.bias': [0.5, 0],
      'norm.running_mean': [10, 0],
      'norm.running_var': [4 - 1e-5, 1 - 1e-5],
    }
    const json = { block: 'basic', layers: [1], preactivation: true }
    const { scale, shift } = node(meanResnet(json, 9, 9, new AnyWeights(given)), 'norm') as NormNode
    expect([...scale]).toEqual([expect.closeTo(1.5, 5), expect.closeTo(1, 5)])
    expect([...shift]).toEqual([expect.closeTo(0.5 - 15, 5), 0])
  })

  it('folds a batch norm into the weight and bias of its convolution', () => {
    const given = {
      'conv1.weight': [1, 2, 3, 4, 5, 6, 7, 8, 9],
      'bn1.weight': [3],
      'bn1.bias': [0.5],
      'bn1.running_mean': [10],
      'bn1.running_var': [4 - 1e-5],
    }
    const graph = resnet({ block: 'basic', layers: [1] }, 4, 4, new AnyWeights(given))
    const stem = node(graph, 'conv1') as ConvNode
    // The scale is 3 / sqrt(4) = 1.5.
    for (const [i, value] of [1.5, 3, 4.5, 6, 7.5, 9, 10.5, 12, 13.5].entries())
      expect(stem.weight[i]).toBeCloseTo(value, 5)
    expect(stem.bias[0]).toBeCloseTo(0.5 - 10 * 1.5, 5)
  })

  it('counts the parameters that remain after folding', () => {
    const graph = resnet({ block: 'basic', layers: [1], num_classes: 2 }, 4, 4)
    expect(countParameters(graph)).toBe(3 * (9 + 1) + (4 * 4 + 4) + (2 * 4 + 2))
    const preactivated = meanResnet({ block: 'basic', layers: [1], preactivation: true, num_classes: 0 })
    expect(countParameters(preactivated)).toBe(2 * (49 + 1) + 2 * 2 * (2 * 9 + 1) + 2 * (2 + 2))
  })

  it("counts the published models' multiply-adds", () => {
    const stem = { convs: [{ out: 64, kernel: 7 as const, stride: 2 }], max_pool: true }
    const published = { stem, in_channels: 3, width: 64, num_classes: 1000 }
    // torchvision's `_ops` of resnet18: 1.814 GFLOPS, which are multiply-adds.
    const graph = meanResnet({ depth: 18, ...published }, 224, 224)
    expect(countMultiplyAdds(graph) / 1e9).toBeCloseTo(1.814, 3)
  })

  it('refuses sizes that no machine computes, and names the layer', () => {
    const stem = { convs: [{ out: 8192, kernel: 1 as const, stride: 1 }], max_pool: false }
    expect(() => meanResnet({ depth: 18, stem }, 4096, 4096)).toThrow('conv1 would have 8192 x 4096 x 4096 values')
  })

  it('refuses weights with a tensor too few or too many, and names it', () => {
    const any = new AnyWeights()
    const json = { block: 'basic', layers: [1] }
    resnet(json, 4, 4, any)
    const all = [...any.taken].map(([name, shape]) => [name, { shape, data: any.take(name, shape) }] as const)
    const build = (tensors: typeof all) => resnet(json, 4, 4, new StateDict(tensors as never) as AnyWeights)
    expect(() => build(all.slice(0, -1))).toThrow('linear.bias is missing')
    expect(() => build([...all, ['layer1.1.conv1.weight', { shape: [1], data: Float32Array.of(1) }]])).toThrow(
      'first layer1.1.conv1.weight',
    )
  })
})

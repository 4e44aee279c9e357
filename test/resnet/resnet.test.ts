import { describe, expect, it } from 'vitest'
import { parseArchitecture } from '../../src/resnet/architecture.ts'
import { type ConvNode, countParameters, type Graph, type GraphNode } from '../../src/resnet/graph.ts'
import { buildResNet } from '../../src/resnet/resnet.ts'
import { StateDict } from '../../src/resnet/state-dict.ts'
import { AnyWeights } from '../helpers/any-weights.ts'

function resnet(json: object, height = 45, width = 31, weights = new AnyWeights()): Graph {
  return buildResNet(parseArchitecture({ width: 1, embedding_size: 4, ...json }), weights, height, width)
}

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

  it('lists each node after those it reads, under a name of its own', () => {
    const graph = resnet({ depth: 50, shortcut: 'zero-pad' })
    const made = new Set([graph.input.name])
    for (const each of graph.nodes) {
      for (const input of each.op === 'add' ? each.inputs : [each.input]) expect(made).toContain(input)
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

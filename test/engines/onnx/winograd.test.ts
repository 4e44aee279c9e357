import { describe, expect, it } from 'vitest'
import { buildOnnx } from '../../../src/engines/onnx/emitter.ts'
import type { OnnxModel } from '../../../src/engines/onnx/schema.ts'
import { openModel } from '../../../src/engines/onnx/sessions.ts'
import { suitsWinograd, transformFilters } from '../../../src/engines/onnx/winograd.ts'
import { randomNumbers } from '../../../src/engines/random.ts'
import { type ArchitectureJson, parseArchitecture } from '../../../src/resnet/architecture.ts'
import { type ConvNode, countValues, type Graph } from '../../../src/resnet/graph.ts'
import { buildResNet } from '../../../src/resnet/resnet.ts'
import { StateDict } from '../../../src/resnet/state-dict.ts'
import { relativeDifference } from '../../helpers/parity-fixtures.ts'

/** Weights under which values keep their size from layer to layer. */
class RandomWeights extends StateDict {
  readonly #next = randomNumbers(7)

  constructor() {
    super([])
  }

  override take(name: string, shape: number[]): Float32Array {
    const length = countValues(shape)
    const around = (middle: number, spread: number) =>
      Float32Array.from({ length }, () => middle + spread * (2 * this.#next() - 1))
    if (name.endsWith('running_var')) return around(1, 0.5)
    if (shape.length > 1) return around(0, Math.sqrt(6 / (length / (shape[0] as number))))
    return name.endsWith('.weight') ? around(0.7, 0.2) : around(0, 0.3)
  }
}

function resnet(architecture: ArchitectureJson, [height, width]: [number, number]): Graph {
  return buildResNet(parseArchitecture(architecture), new RandomWeights(), height, width)
}

const small = { width: 64, embedding_size: 8, num_classes: 3 } as const

const MODELS: [string, ArchitectureJson, [number, number]][] = [
  ['basic blocks', { ...small, block: 'basic', layers: [2, 2] }, [12, 8]],
  ['odd sides, which halve to odd and to even ones', { ...small, block: 'basic', layers: [2, 2, 2] }, [9, 14]],
  ['sides down to one', { ...small, block: 'basic', layers: [1, 1, 1] }, [4, 3]],
  ['zero-pad shortcuts', { ...small, block: 'basic', layers: [2, 2], shortcut: 'zero-pad' }, [10, 7]],
  ['bottlenecks', { ...small, block: 'bottleneck', layers: [2, 2] }, [11, 10]],
  ['bottlenecks with the stride first', { ...small, block: 'bottleneck', layers: [1, 2], stride_on: '1x1' }, [9, 12]],
  ['pooled projections', { ...small, block: 'basic', layers: [1, 2], shortcut: 'pooled-projection' }, [11, 8]],
  ['preactivation', { ...small, block: 'basic', layers: [2, 2], preactivation: true }, [10, 9]],
  [
    'a max-pool and a mean',
    {
      ...{ block: 'basic', layers: [1, 1], width: 64, num_classes: 3, pool: 'mean', in_channels: 3 },
      stem: { convs: [{ out: 64, kernel: 7, stride: 2 }], max_pool: true },
    },
    [37, 30],
  ],
]

describe('convolutions by Winograd', () => {
  it.each(MODELS)('answer as direct ones do: %s', async (_, architecture, size) => {
    const graph = resnet(architecture, size)
    const next = randomNumbers(3)
    const input = Float32Array.from({ length: 3 * countValues(graph.input.shape) }, () => 2 * next() - 1)
    const run = async (model: OnnxModel) => {
      const session = await openModel(model, { threads: 1 })
      const answers = await session.run(input, 3)
      await session.release()
      return answers
    }
    const inner = graph.nodes.filter(({ shape }) => shape.length === 3).map(({ name }) => name)
    const direct = await run(buildOnnx(graph, { also: inner }))
    // Inner values that are read change how the graph is written.
    for (const also of [[], inner]) {
      const model = buildOnnx(graph, { winograd: true, also })
      expect(model.nodes.some(({ name }) => name === 'layer1.0.conv2.product15')).toBe(true)
      for (const [name, values] of Object.entries(await run(model))) {
        expect(relativeDifference(values, direct[name] as Float32Array), name).toBeLessThan(2e-5)
      }
    }
  })

  it("have the paper's filters, with the sign of the last row and column turned", () => {
    // What a filter with one tap becomes along one axis, by the tap's place.
    const places = [
      [1, 0.5, 0.5, 0],
      [0, 0.5, -0.5, 0],
      [0, 0.5, 0.5, -1],
    ]
    for (const [row, alongRows] of places.entries()) {
      for (const [column, alongColumns] of places.entries()) {
        const filter = Float32Array.from({ length: 9 }, (_, tap) => (tap === 3 * row + column ? 1 : 0))
        const expected = alongRows.flatMap((a) => alongColumns.map((b) => a * b))
        expect(transformFilters(filter).map(([value]) => (value as number) + 0)).toEqual(
          expected.map((value) => value + 0),
        )
      }
    }
  })

  it('are for wide 3x3 convolutions without a stride alone', () => {
    const wide = { kernel: 3, stride: 1, pad: 1, inChannels: 64, outChannels: 128, shape: [128, 7, 2] } as ConvNode
    expect(suitsWinograd(wide)).toBe(true)
    for (const other of [
      { kernel: 1, pad: 0 },
      { stride: 2 },
      { inChannels: 32 },
      { outChannels: 72 },
      { shape: [128, 7, 1] },
    ]) {
      expect(suitsWinograd({ ...wide, ...other })).toBe(false)
    }
  })

  it('leave integers alone', () => {
    const graph = resnet({ ...small, block: 'basic', layers: [1] }, [8, 8])
    const activations = Object.fromEntries(
      [graph.input, ...graph.nodes].map(({ name }) => [name, { scale: 0.1, zero_point: 0 }]),
    )
    const quantization = { activations, fp32: ['layer1.0.conv2'] }
    const names = (winograd: boolean) => buildOnnx(graph, { quantization, winograd }).nodes.map(({ name }) => name)
    expect(names(true)).toEqual(names(false))
  })
})

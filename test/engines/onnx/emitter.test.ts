import ort from 'onnxruntime-node'
import { describe, expect, it } from 'vitest'
import { buildOnnx, type EmitOptions } from '../../../src/engines/onnx/emitter.ts'
import { DATA_TYPE, encodeOnnx, type OnnxModel } from '../../../src/engines/onnx/schema.ts'
import type { Quantization } from '../../../src/repository/quantization.ts'
import { parseArchitecture } from '../../../src/resnet/architecture.ts'
import type { Graph } from '../../../src/resnet/graph.ts'
import { buildResNet } from '../../../src/resnet/resnet.ts'
import { AnyWeights } from '../../helpers/any-weights.ts'

function resnet(shortcut: 'projection' | 'zero-pad', block: 'basic' | 'bottleneck' = 'basic'): Graph {
  const sizes = { width: 3, embedding_size: 4, num_classes: 2 }
  const architecture = parseArchitecture({ block, layers: [1, 1], shortcut, ...sizes })
  return buildResNet(architecture, new AnyWeights(), 9, 7)
}

const INTEGER_OPS = ['conv', 'norm', 'add']

function scalesFor({ input, nodes }: Graph, fp32: string[] = []): Quantization {
  const names = [input.name, ...nodes.filter(({ op }) => INTEGER_OPS.includes(op)).map(({ name }) => name)]
  return { activations: Object.fromEntries(names.map((name) => [name, { scale: 0.5, zero_point: 7 }])), fp32 }
}

function createSession(graph: Graph, options?: EmitOptions): Promise<ort.InferenceSession> {
  const { file, externalData } = encodeOnnx(buildOnnx(graph, options))
  return ort.InferenceSession.create(file, { externalData })
}

const opTypes = ({ nodes }: OnnxModel): string[] => nodes.map(({ opType }) => opType)

describe.each(['projection', 'zero-pad'] as const)('the ONNX model of a ResNet with a %s shortcut', (shortcut) => {
  const graph = resnet(shortcut)
  const precisions = { fp32: {}, int8: { quantization: scalesFor(graph) } }

  describe.each(Object.entries(precisions))('in %s', (_, options) => {
    it("has the graph's input and outputs in float32, batch dimension free", async () => {
      const session = await createSession(graph, options)
      const type = 'float32'
      expect(session.inputMetadata).toEqual([{ name: 'input', isTensor: true, type, shape: ['batch', 1, 9, 7] }])
      expect(session.outputMetadata).toEqual([
        { name: 'linear', isTensor: true, type, shape: ['batch', 2] },
        { name: 'fc', isTensor: true, type, shape: ['batch', 4] },
      ])
      await session.release()
    })

    it('runs batches of any size', async () => {
      const session = await createSession(graph, options)
      for (const size of [1, 5, 2]) {
        const input = new ort.Tensor('float32', new Float32Array(size * 63).fill(0.5), [size, 1, 9, 7])
        const { linear, fc } = await session.run({ input })
        expect([linear?.dims, fc?.dims]).toEqual([
          [size, 2],
          [size, 4],
        ])
      }
      await session.release()
    })
  })

  it('answers with other values too, in float32 whatever they are computed in', async () => {
    const also = ['layer1.0.conv1', 'layer2.0.shortcut', 'layer2.0'].filter((name) =>
      graph.nodes.some((node) => node.name === name),
    )
    for (const quantization of [undefined, scalesFor(graph)]) {
      const session = await createSession(graph, { quantization, also })
      expect(session.outputNames).toEqual(['linear', 'fc', ...also])
      const answers = await session.run({ input: new ort.Tensor('float32', new Float32Array(63), [1, 1, 9, 7]) })
      for (const name of also) expect(answers[name]?.type).toBe('float32')
      await session.release()
    }
  })
})

describe.each([
  ['basic', 'projection'],
  ['basic', 'zero-pad'],
  ['bottleneck', 'projection'],
  ['bottleneck', 'zero-pad'],
] as const)('int8 in %s blocks with a %s shortcut', (block, shortcut) => {
  const graph = resnet(shortcut, block)
  const model = buildOnnx(graph, { quantization: scalesFor(graph) })
  const types = new Map(model.initializers.map(({ name, dataType }) => [name, dataType]))
  const convolutions = model.nodes.filter(({ opType }) => opType === 'QLinearConv')

  it('computes every convolution and addition in integers, and pool and linears in fp32', () => {
    const count = (op: string): number => graph.nodes.filter((node) => node.op === op).length
    expect(convolutions).toHaveLength(count('conv'))
    expect(opTypes(model).filter((opType) => opType === 'QLinearAdd')).toHaveLength(count('add'))
    for (const opType of ['Conv', 'Add', 'Relu']) expect(opTypes(model)).not.toContain(opType)
  })

  it('converts twice: the input into uint8, and the last stage out of it', () => {
    const conversions = opTypes(model).filter((opType) => /^(Quantize|Dequantize)Linear$/.test(opType))
    expect(conversions).toEqual(['QuantizeLinear', 'DequantizeLinear'])
  })

  it('has uint8 activations, int8 weights with a scale per channel, and int32 biases', () => {
    for (const { input } of convolutions) {
      const [, xScale, xZero, weight, weightScale, weightZero, yScale, yZero, bias] = input as string[]
      const typeOf = (name: string | undefined) => types.get(name ?? '')
      expect([xZero, yZero].map(typeOf)).toEqual([DATA_TYPE.uint8, DATA_TYPE.uint8])
      expect([weight, weightZero].map(typeOf)).toEqual([DATA_TYPE.int8, DATA_TYPE.int8])
      expect([xScale, yScale, weightScale].map(typeOf)).toEqual(Array(3).fill(DATA_TYPE.float))
      expect(typeOf(bias)).toBe(DATA_TYPE.int32)
      const [weightDims, scaleDims] = [weight, weightScale].map((name) =>
        model.initializers.find((t) => t.name === name),
      )
      expect(scaleDims?.dims).toEqual(weightDims?.dims.slice(0, 1))
    }
  })

  it('leaves any node in fp32 that is asked for, and converts around it', async () => {
    const nodes = graph.nodes.filter(({ op }) => op === 'conv' || op === 'add')
    for (const { name, op } of nodes) {
      for (const fp32 of [[name], nodes.map((node) => node.name).filter((other) => other !== name)]) {
        const quantization = scalesFor(graph, fp32)
        const integers = opTypes(buildOnnx(graph, { quantization })).filter((opType) => opType.startsWith('QLinear'))
        expect(integers).toHaveLength(nodes.length - fp32.length)
        if (fp32.length > 1) expect(integers).toEqual([op === 'conv' ? 'QLinearConv' : 'QLinearAdd'])
        const session = await createSession(graph, { quantization })
        await session.run({ input: new ort.Tensor('float32', new Float32Array(63), [1, 1, 9, 7]) })
        await session.release()
      }
    }
  })
})

describe('int8 behind a max-pool, with pre-activation and pooled projections', () => {
  const stem = { convs: [{ out: 3, kernel: 7 as const, stride: 2 }], max_pool: true }
  const architecture = parseArchitecture({
    block: 'bottleneck',
    layers: [1, 1],
    width: 3,
    stem,
    preactivation: true,
    shortcut: 'pooled-projection',
    pool: 'mean',
    num_classes: 0,
  })
  const graph = buildResNet(architecture, new AnyWeights(), 19, 13)
  const input = () => new ort.Tensor('float32', new Float32Array(19 * 13).fill(0.5), [1, 1, 19, 13])

  it('converts no value on the way from the input to the pool', () => {
    const types = opTypes(buildOnnx(graph, { quantization: scalesFor(graph) }))
    expect(types.filter((type) => /^(Quantize|Dequantize)Linear$/.test(type))).toEqual([
      'QuantizeLinear',
      'DequantizeLinear',
    ])
    for (const type of ['Conv', 'Add', 'Relu', 'AveragePool']) expect(types).not.toContain(type)
  })

  it('pools what is in float as floats', () => {
    const types = opTypes(buildOnnx(graph, { quantization: scalesFor(graph, ['layer2.0.bn1', 'layer2.0.conv1']) }))
    expect(types).toContain('AveragePool')
  })

  it('leaves any node in fp32 that is asked for', async () => {
    for (const { name } of graph.nodes.filter(({ op }) => INTEGER_OPS.includes(op))) {
      const quantization = scalesFor(graph, [name])
      const session = await createSession(graph, { quantization })
      await session.run({ input: input() })
      await session.release()
    }
  })

  it('has the embedding for its only output', async () => {
    const session = await createSession(graph)
    expect(session.outputNames).toEqual(['pool'])
    expect((await session.run({ input: input() })).pool?.dims).toEqual([1, 24])
    await session.release()
  })
})

describe('a quantization that is not this graph’s', () => {
  it('is refused, the value named', () => {
    const graph = resnet('projection')
    const { activations } = scalesFor(graph)
    expect(() => buildOnnx(graph, { quantization: { activations, fp32: ['conv7'] } })).toThrow('no value conv7')
    expect(() =>
      buildOnnx(graph, { quantization: { activations: { ...activations, x: activations.input } as never, fp32: [] } }),
    ).toThrow('no value x')
    const { conv1, ...rest } = activations
    expect(() => buildOnnx(graph, { quantization: { activations: rest, fp32: [] } })).toThrow('no scale for conv1')
  })
})

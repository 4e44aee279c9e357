import { beforeAll, describe, expect, it } from 'vitest'
import { quantizeConv } from '../../../src/engines/onnx/quantized-conv.ts'
import { openSession } from '../../../src/engines/onnx/sessions.ts'
import { randomNumbers } from '../../../src/engines/random.ts'
import { chooseRanges, observeBatch, observedValues } from '../../../src/quantization/calibrate.ts'
import type { Activation, Quantization } from '../../../src/repository/quantization.ts'
import { parseArchitecture } from '../../../src/resnet/architecture.ts'
import { type ConvNode, countValues, type Graph } from '../../../src/resnet/graph.ts'
import { buildResNet } from '../../../src/resnet/resnet.ts'
import { StateDict } from '../../../src/resnet/state-dict.ts'

const BATCH = 2

/** All weights of a sign together and as large as can be: the sums of neighbouring products are extreme. */
class ExtremeWeights extends StateDict {
  readonly #next = randomNumbers(1)

  override take(name: string, shape: number[]): Float32Array {
    const length = countValues(shape)
    if (/running_var$/.test(name)) return new Float32Array(length).fill(1)
    let sign = 1
    return Float32Array.from({ length }, (_, i) => {
      if (i % 9 === 0) sign = this.#next() < 0.5 ? -1 : 1
      return sign * (0.9 + 0.1 * this.#next())
    })
  }
}

/** QLinearConv by its definition in ONNX, in whole numbers: nothing here can saturate before the end. */
function convolve(node: ConvNode, input: number[], shape: number[], from: Activation, to: Activation): number[] {
  const { weight, weightScale, bias } = quantizeConv(node, from.scale)
  const [height, width] = shape.slice(1) as [number, number]
  const [outHeight, outWidth] = node.shape.slice(1) as [number, number]
  const { kernel, stride, pad, inChannels, outChannels } = node
  const stored: number[] = []
  for (let n = 0; n < BATCH; n++)
    for (let o = 0; o < outChannels; o++) {
      const scale = Math.fround(
        Math.fround(Math.fround(from.scale) * (weightScale[o] as number)) / Math.fround(to.scale),
      )
      for (let y = 0; y < outHeight; y++)
        for (let x = 0; x < outWidth; x++) {
          let sum = bias[o] as number
          for (let c = 0; c < inChannels; c++)
            for (let i = 0; i < kernel; i++)
              for (let j = 0; j < kernel; j++) {
                const [row, column] = [y * stride + i - pad, x * stride + j - pad]
                if (row < 0 || row >= height || column < 0 || column >= width) continue
                const value = input[((n * inChannels + c) * height + row) * width + column] as number
                sum += (value - from.zero_point) * (weight[((o * inChannels + c) * kernel + i) * kernel + j] as number)
              }
          const rounded = halfToEven(Math.fround(Math.fround(sum) * scale))
          stored.push(Math.max(0, Math.min(255, rounded + to.zero_point)))
        }
    }
  return stored
}

function halfToEven(value: number): number {
  const below = Math.floor(value)
  if (value - below !== 0.5) return Math.round(value)
  return below % 2 === 0 ? below : below + 1
}

describe.each([
  ['basic', 'projection'],
  ['bottleneck', 'zero-pad'],
] as const)('int8 in %s blocks with a %s shortcut', (block, shortcut) => {
  let graph: Graph
  let quantization: Quantization
  /** Every value of the int8 graph, in the whole numbers that are stored. */
  let stored: Record<string, number[]>

  beforeAll(async () => {
    const sizes = { width: 24, embedding_size: 4, num_classes: 2 }
    graph = buildResNet(parseArchitecture({ block, layers: [1, 1], shortcut, ...sizes }), new ExtremeWeights([]), 9, 7)
    const also = observedValues(graph)
    const next = randomNumbers(2)
    const input = Float32Array.from({ length: BATCH * 63 }, next)
    const fp32 = await openSession(graph, { threads: 1, also })
    const distributions = new Map()
    await observeBatch(graph, distributions, fp32.run, input, BATCH)
    await fp32.release()
    quantization = chooseRanges(distributions)
    const int8 = await openSession(graph, { threads: 1, also, quantization })
    const values = { ...(await int8.run(input, BATCH)), [graph.input.name]: input }
    await int8.release()
    stored = Object.fromEntries(
      [graph.input.name, ...also].map((name) => {
        const { scale, zero_point } = quantization.activations[name] as Activation
        const whole = [...(values[name] as Float32Array)].map(
          (value) => halfToEven(value / Math.fround(scale)) + zero_point,
        )
        return [name, whole.map((value) => Math.max(0, Math.min(255, value)))]
      }),
    )
  })

  it('computes the integers of the definition on every processor', () => {
    const shapes = new Map([graph.input, ...graph.nodes].map(({ name, shape }) => [name, shape as number[]]))
    for (const node of graph.nodes) {
      if (node.op !== 'conv') continue
      const [from, to] = [node.input, node.name].map((name) => quantization.activations[name] as Activation)
      const expected = convolve(
        node,
        stored[node.input] as number[],
        shapes.get(node.input) as number[],
        from as Activation,
        to as Activation,
      )
      expect(stored[node.name], node.name).toEqual(expected)
      expect(new Set(expected).size).toBeGreaterThan(8)
    }
  })
})

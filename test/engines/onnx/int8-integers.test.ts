import { beforeAll, describe, expect, it } from 'vitest'
import { quantizeConv } from '../../../src/engines/onnx/quantized-conv.ts'
import { openSession } from '../../../src/engines/onnx/sessions.ts'
import { randomNumbers } from '../../../src/engines/random.ts'
import { chooseRanges, observeBatch, observedValues } from '../../../src/quantization/calibrate.ts'
import type { Activation, Quantization } from '../../../src/repository/quantization.ts'
import { type ArchitectureJson, parseArchitecture } from '../../../src/resnet/architecture.ts'
import {
  type AveragePoolNode,
  type ConvNode,
  countValues,
  type Graph,
  type MaxPoolNode,
  type NormNode,
} from '../../../src/resnet/graph.ts'
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

/** A value as it is stored: whole numbers `[BATCH, C, H, W]`. */
interface Stored {
  values: number[]
  shape: number[]
  activation: Activation
}

/** The number at each position of a window, or undefined where it reaches over the edge. */
function* windowOf(
  { values, shape }: Stored,
  [n, c, y, x]: [number, number, number, number],
  { kernel, stride, pad }: { kernel: number; stride: number; pad: number },
) {
  const [channels, height, width] = shape as [number, number, number]
  for (let i = 0; i < kernel; i++)
    for (let j = 0; j < kernel; j++) {
      const [row, column] = [y * stride + i - pad, x * stride + j - pad]
      const isInside = row >= 0 && row < height && column >= 0 && column < width
      yield isInside ? (values[((n * channels + c) * height + row) * width + column] as number) : undefined
    }
}

function everyPosition(shape: number[], value: (at: [number, number, number, number]) => number): number[] {
  const [channels, height, width] = shape as [number, number, number]
  const values: number[] = []
  for (let n = 0; n < BATCH; n++)
    for (let c = 0; c < channels; c++)
      for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) values.push(value([n, c, y, x]))
  return values
}

function store(real: number, zeroPoint: number): number {
  return Math.max(0, Math.min(255, halfToEven(real) + zeroPoint))
}

/** QLinearConv by its definition in ONNX, in whole numbers: nothing here can saturate before the end. */
function convolve(node: ConvNode | NormNode, from: Stored, to: Activation): number[] {
  const isNorm = node.op === 'norm'
  const { weight, weightScale, bias } = isNorm
    ? quantizeConv({ weight: node.scale, bias: node.shift, outChannels: node.scale.length }, from.activation.scale)
    : quantizeConv(node, from.activation.scale)
  const window = isNorm ? { kernel: 1, stride: 1, pad: 0 } : node
  return everyPosition(node.shape, ([n, o, y, x]) => {
    const inputs = isNorm ? [o] : Array.from({ length: node.inChannels }, (_, c) => c)
    let next = o * inputs.length * window.kernel ** 2
    let sum = bias[o] as number
    for (const c of inputs)
      for (const value of windowOf(from, [n, c, y, x], window)) {
        const w = weight[next++] as number
        if (value !== undefined) sum += (value - from.activation.zero_point) * w
      }
    const product = Math.fround(Math.fround(from.activation.scale) * (weightScale[o] as number))
    const scale = Math.fround(product / Math.fround(to.scale))
    return store(Math.fround(Math.fround(sum) * scale), to.zero_point)
  })
}

const isNumber = (value: number | undefined): value is number => value !== undefined

function largest(node: MaxPoolNode, from: Stored): number[] {
  return everyPosition(node.shape, (at) => Math.max(...[...windowOf(from, at, node)].filter(isNumber)))
}

function mean({ shape }: AveragePoolNode, from: Stored): number[] {
  const { zero_point } = from.activation
  return everyPosition(shape, (at) => {
    const there = [...windowOf(from, at, { kernel: 2, stride: 2, pad: 0 })].filter(isNumber)
    const sum = there.reduce((total, value) => total + value - zero_point, 0)
    return store(sum / there.length, zero_point)
  })
}

function halfToEven(value: number): number {
  const below = Math.floor(value)
  if (value - below !== 0.5) return Math.round(value)
  return below % 2 === 0 ? below : below + 1
}

const STEM: ArchitectureJson['stem'] = { convs: [{ out: 24, kernel: 7, stride: 2 }], max_pool: true }

describe.each<[string, ArchitectureJson]>([
  ['basic blocks with projections', { block: 'basic' }],
  ['bottlenecks with zero-pad shortcuts', { block: 'bottleneck', shortcut: 'zero-pad' }],
  ['basic blocks behind a max-pool', { block: 'basic', in_channels: 3, stem: STEM, pool: 'mean' }],
  [
    'bottlenecks with pre-activation and pooled projections',
    { block: 'bottleneck', stem: STEM, preactivation: true, shortcut: 'pooled-projection' },
  ],
])('int8 in %s', (_, architecture) => {
  let graph: Graph
  let quantization: Quantization
  /** Every value of the int8 graph up to the pool. */
  let stored: Map<string, Stored>

  beforeAll(async () => {
    const sizes = { layers: [1, 1], width: 24, num_classes: 2 }
    // Behind the stem 5 x 4, so that one side is odd where the average pool halves.
    const [height, width] = architecture.stem ? [17, 13] : [9, 7]
    graph = buildResNet(parseArchitecture({ ...architecture, ...sizes }), new ExtremeWeights([]), height, width)
    const next = randomNumbers(2)
    const input = Float32Array.from({ length: BATCH * countValues(graph.input.shape) }, next)
    const fp32 = await openSession(graph, { threads: 1, also: observedValues(graph) })
    const distributions = new Map()
    await observeBatch(graph, distributions, fp32.run, input, BATCH)
    await fp32.release()
    quantization = chooseRanges(distributions)
    const nodes = graph.nodes.filter(({ op }) => op !== 'pool' && op !== 'dense')
    const int8 = await openSession(graph, { threads: 1, also: nodes.map(({ name }) => name), quantization })
    const values = { ...(await int8.run(input, BATCH)), [graph.input.name]: input }
    await int8.release()
    stored = new Map()
    for (const node of [graph.input, ...nodes]) {
      // A value that is chosen or averaged from others has their scale.
      const activation =
        quantization.activations[node.name] ?? stored.get((node as MaxPoolNode).input)?.activation ?? never(node.name)
      const real = [...(values[node.name] as Float32Array)]
      const whole = real.map((value) => store(value / Math.fround(activation.scale), activation.zero_point))
      stored.set(node.name, { values: whole, shape: node.shape, activation })
    }
  })

  it('computes the integers of the definition on every processor', () => {
    const checked = new Set<string>()
    for (const node of graph.nodes) {
      if (node.op === 'add' || node.op === 'subsample' || node.op === 'pool' || node.op === 'dense') continue
      const [from, to] = [node.input, node.name].map((name) => stored.get(name) ?? never(name)) as [Stored, Stored]
      const expected =
        node.op === 'maxpool'
          ? largest(node, from)
          : node.op === 'averagepool'
            ? mean(node, from)
            : convolve(node, from, to.activation)
      expect(to.values, node.name).toEqual(expected)
      expect(new Set(expected).size, node.name).toBeGreaterThan(8)
      checked.add(node.op)
    }
    if (architecture.stem) expect(checked).toContain('maxpool')
    if (architecture.preactivation) expect([...checked]).toEqual(expect.arrayContaining(['norm', 'averagepool']))
  })
})

function never(name: string): never {
  throw new Error(`no value ${name}`)
}

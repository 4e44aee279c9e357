import { type Architecture, expansion, POOL_BANDS } from './architecture.ts'
import type { ConvNode, Graph, GraphNode } from './graph.ts'
import type { StateDict } from './state-dict.ts'

/** PyTorch's BatchNorm2d default. */
const BN_EPSILON = 1e-5

/**
 * Builds a ResNet's graph from its weights, for inputs of `height` x `width`. Folds each batch norm into the convolution
 * before it. Throws when a tensor is missing, has the wrong shape, or is left over.
 */
export function buildResNet(arch: Architecture, weights: StateDict, height: number, width: number): Graph {
  const input = { name: 'input', shape: [arch.inChannels, height, width] } satisfies Value
  const graph = new ResNetBuilder(arch, weights).build(input)
  weights.assertAllTaken()
  return graph
}

/** A value between blocks. */
interface Value {
  name: string
  /** `[C, H, W]` */
  shape: [number, number, number]
}

interface ConvSpec {
  /** Names of the convolution and the batch norm in the state_dict. */
  conv: string
  norm: string
  out: number
  kernel: number
  stride: number
  relu: boolean
}

class ResNetBuilder {
  readonly #arch: Architecture
  readonly #weights: StateDict
  readonly #nodes: GraphNode[] = []

  constructor(arch: Architecture, weights: StateDict) {
    this.#arch = arch
    this.#weights = weights
  }

  build(input: Value): Graph {
    const { width, layers } = this.#arch
    let value = this.#conv(input, { conv: 'conv1', norm: 'bn1', out: width, kernel: 3, stride: 1, relu: true })
    for (const [stage, blocks] of layers.entries()) {
      for (let index = 0; index < blocks; index++) {
        const stride = stage > 0 && index === 0 ? 2 : 1
        value = this.#block(value, `layer${stage + 1}.${index}`, width * 2 ** stage, stride)
      }
    }
    this.#head(value)
    return { input, nodes: this.#nodes, outputs: { logits: 'linear', embedding: 'fc' } }
  }

  #block(input: Value, name: string, planes: number, stride: number): Value {
    const out = planes * expansion(this.#arch.block)
    const steps =
      this.#arch.block === 'basic'
        ? [
            { out: planes, kernel: 3, stride },
            { out, kernel: 3, stride: 1 },
          ]
        : [
            { out: planes, kernel: 1, stride: 1 },
            { out: planes, kernel: 3, stride },
            { out, kernel: 1, stride: 1 },
          ]
    let value = input
    for (const [i, step] of steps.entries()) {
      const relu = i < steps.length - 1
      value = this.#conv(value, { conv: `${name}.conv${i + 1}`, norm: `${name}.bn${i + 1}`, ...step, relu })
    }
    const shortcut = this.#shortcut(input, `${name}.shortcut`, out, stride)
    this.#nodes.push({ op: 'add', name, inputs: [value.name, shortcut.name], relu: true, shape: value.shape })
    return { name, shape: value.shape }
  }

  #shortcut(input: Value, name: string, out: number, stride: number): Value {
    const [channels, height, width] = input.shape
    if (stride === 1 && channels === out) return input
    if (this.#arch.shortcut === 'projection') {
      return this.#conv(input, { conv: `${name}.0`, norm: `${name}.1`, out, kernel: 1, stride, relu: false })
    }
    const padBefore = Math.floor((out - channels) / 2)
    const padAfter = out - channels - padBefore
    const shape: Value['shape'] = [out, Math.ceil(height / stride), Math.ceil(width / stride)]
    this.#nodes.push({ op: 'subsample', name, input: input.name, stride, padBefore, padAfter, shape })
    return { name, shape }
  }

  #conv(input: Value, spec: ConvSpec): Value {
    const { conv, norm, out, kernel, stride, relu } = spec
    const [inChannels, height, width] = input.shape
    const pad = (kernel - 1) / 2
    const sizeAfter = (size: number): number => Math.floor((size + 2 * pad - kernel) / stride) + 1
    const shape: Value['shape'] = [out, sizeAfter(height), sizeAfter(width)]
    const weight = this.#weights.take(`${conv}.weight`, [out, inChannels, kernel, kernel])
    this.#nodes.push({
      op: 'conv',
      name: conv,
      input: input.name,
      ...this.#foldBatchNorm(weight, norm, out),
      inChannels,
      outChannels: out,
      kernel,
      stride,
      pad,
      relu,
      shape,
    })
    return { name: conv, shape }
  }

  /** gamma * (W x - mean) / sqrt(var + eps) + beta as one weight and one bias. Computed in float64. */
  #foldBatchNorm(weight: Float32Array, norm: string, out: number): Pick<ConvNode, 'weight' | 'bias'> {
    const gamma = this.#weights.take(`${norm}.weight`, [out])
    const beta = this.#weights.take(`${norm}.bias`, [out])
    const mean = this.#weights.take(`${norm}.running_mean`, [out])
    const variance = this.#weights.take(`${norm}.running_var`, [out])
    const folded = new Float32Array(weight.length)
    const bias = new Float32Array(out)
    const perOutput = weight.length / out
    for (let o = 0; o < out; o++) {
      const scale = (gamma[o] as number) / Math.sqrt((variance[o] as number) + BN_EPSILON)
      bias[o] = (beta[o] as number) - (mean[o] as number) * scale
      for (let i = o * perOutput; i < (o + 1) * perOutput; i++) folded[i] = (weight[i] as number) * scale
    }
    return { weight: folded, bias }
  }

  #head(value: Value): void {
    const { embeddingSize, numClasses } = this.#arch
    const [channels, height] = value.shape
    const [bands, features] = [POOL_BANDS, channels * POOL_BANDS]
    const matrix = adaptivePoolMatrix(height, bands)
    this.#nodes.push({ op: 'pool', name: 'pool', input: value.name, height, bands, matrix, shape: [features] })
    this.#dense('fc', 'pool', features, embeddingSize)
    this.#dense('linear', 'fc', embeddingSize, numClasses)
  }

  #dense(name: string, input: string, inFeatures: number, outFeatures: number): void {
    this.#nodes.push({
      op: 'dense',
      name,
      input,
      weight: this.#weights.take(`${name}.weight`, [outFeatures, inFeatures]),
      bias: this.#weights.take(`${name}.bias`, [outFeatures]),
      inFeatures,
      outFeatures,
      shape: [outFeatures],
    })
  }
}

/**
 * PyTorch's AdaptiveAvgPool along one axis as a matrix `[size, bands]`, row-major. Band b averages the rows from
 * floor(b * size / bands) up to and excluding ceil((b + 1) * size / bands). Bands overlap if `bands` does not divide
 * `size`.
 */
export function adaptivePoolMatrix(size: number, bands: number): Float32Array {
  const matrix = new Float32Array(size * bands)
  for (let band = 0; band < bands; band++) {
    const start = Math.floor((band * size) / bands)
    const end = Math.ceil(((band + 1) * size) / bands)
    for (let row = start; row < end; row++) matrix[row * bands + band] = 1 / (end - start)
  }
  return matrix
}

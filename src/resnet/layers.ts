import { type ConvNode, countValues, type DenseNode, type GraphNode, type NormNode } from './graph.ts'
import type { StateDict } from './state-dict.ts'

/** PyTorch's BatchNorm2d default. */
export const BN_EPSILON = 1e-5

/** Most numbers between two layers, for one input: 4 GiB of float32, which no model needs and no engine gets through. */
const MAX_VALUES = 2 ** 30

/** A value between layers. */
export interface FeatureMap {
  name: string
  /** `[C, H, W]` */
  shape: [number, number, number]
}

interface ConvSpec {
  out: number
  kernel: number
  stride: number
  relu: boolean
  /** Name of the batch norm that follows. The convolution has no bias, with or without one. */
  norm?: string | undefined
}

/**
 * PyTorch's layers as nodes of a graph: each method takes a layer's weights by its name in the state_dict, adds its node, and
 * returns its value. Throws when a tensor is missing or has the wrong shape, or when a value would be absurdly large.
 */
export class Layers {
  readonly nodes: GraphNode[] = []
  readonly #weights: StateDict

  constructor(weights: StateDict) {
    this.#weights = weights
  }

  /** Padded by (kernel - 1) / 2. The batch norm is folded into weight and bias. */
  conv(input: FeatureMap, name: string, { out, kernel, stride, relu, norm }: ConvSpec): FeatureMap {
    const [inChannels, ...size] = input.shape
    const pad = (kernel - 1) / 2
    const weight = this.#weights.take(`${name}.weight`, [out, inChannels, kernel, kernel])
    const folded = norm === undefined ? { weight, bias: new Float32Array(out) } : this.#fold(weight, norm, out)
    const geometry = { inChannels, outChannels: out, kernel, stride, pad }
    const shape = [out, ...windows(size, kernel, stride, pad)] as FeatureMap['shape']
    return this.#add({ op: 'conv', name, input: input.name, ...folded, ...geometry, relu, shape })
  }

  /** A batch norm that follows no convolution, and the ReLU after it. */
  norm({ name: input, shape }: FeatureMap, name: string): FeatureMap {
    const { scale, shift } = this.#batchNorm(name, shape[0])
    return this.#add({
      op: 'norm',
      name,
      input,
      scale: Float32Array.from(scale),
      shift: Float32Array.from(shift),
      relu: true,
      shape,
    })
  }

  add(a: FeatureMap, b: FeatureMap, name: string, relu: boolean): FeatureMap {
    return this.#add({ op: 'add', name, inputs: [a.name, b.name], relu, shape: a.shape })
  }

  maxPool({ name: input, shape: [channels, ...size] }: FeatureMap, name: string): FeatureMap {
    const [kernel, stride, pad] = [3, 2, 1]
    const shape = [channels, ...windows(size, kernel, stride, pad)] as FeatureMap['shape']
    return this.#add({ op: 'maxpool', name, input, kernel, stride, pad, shape })
  }

  averagePool({ name: input, shape: [channels, height, width] }: FeatureMap, name: string): FeatureMap {
    return this.#add({
      op: 'averagepool',
      name,
      input,
      height,
      width,
      shape: [channels, Math.ceil(height / 2), Math.ceil(width / 2)],
    })
  }

  /** Every `stride`-th row and column, with channels of zeros added: `before` in front, the rest at the end. */
  subsample(input: FeatureMap, name: string, out: number, stride: number, padBefore: number): FeatureMap {
    const [channels, height, width] = input.shape
    const padAfter = out - channels - padBefore
    const shape: FeatureMap['shape'] = [out, Math.ceil(height / stride), Math.ceil(width / stride)]
    return this.#add({ op: 'subsample', name, input: input.name, stride, padBefore, padAfter, shape })
  }

  /** AdaptiveAvgPool2d([bands, 1]), flattened channel-major. Returns the number of features. */
  pool({ name: input, shape: [channels, height] }: FeatureMap, name: string, bands: number): number {
    const features = channels * bands
    const matrix = adaptivePoolMatrix(height, bands)
    this.nodes.push({ op: 'pool', name, input, height, bands, matrix, shape: [features] })
    return features
  }

  dense(
    input: string,
    name: string,
    { inFeatures, outFeatures, relu }: Pick<DenseNode, 'inFeatures' | 'outFeatures' | 'relu'>,
  ): void {
    this.nodes.push({
      op: 'dense',
      name,
      input,
      weight: this.#weights.take(`${name}.weight`, [outFeatures, inFeatures]),
      bias: this.#weights.take(`${name}.bias`, [outFeatures]),
      inFeatures,
      outFeatures,
      relu,
      shape: [outFeatures],
    })
  }

  #add(node: GraphNode & Pick<FeatureMap, 'shape'>): FeatureMap {
    if (countValues(node.shape) > MAX_VALUES) {
      throw new Error(`architecture: ${node.name} would have ${node.shape.join(' x ')} values for one input`)
    }
    this.nodes.push(node)
    return { name: node.name, shape: node.shape }
  }

  /** gamma * (W x - mean) / sqrt(var + eps) + beta as one weight and one bias. Computed in float64. */
  #fold(weight: Float32Array, norm: string, out: number): Pick<ConvNode, 'weight' | 'bias'> {
    const { scale, shift } = this.#batchNorm(norm, out)
    const perOutput = weight.length / out
    const folded = new Float32Array(weight.length)
    for (let o = 0; o < out; o++) {
      for (let i = o * perOutput; i < (o + 1) * perOutput; i++) folded[i] = (weight[i] as number) * (scale[o] as number)
    }
    return { weight: folded, bias: Float32Array.from(shift) }
  }

  /** gamma * (x - mean) / sqrt(var + eps) + beta as scale * x + shift, in float64. */
  #batchNorm(name: string, channels: number): Record<keyof Pick<NormNode, 'scale' | 'shift'>, Float64Array> {
    const take = (tensor: string): Float32Array => this.#weights.take(`${name}.${tensor}`, [channels])
    const [gamma, beta, mean, variance] = [take('weight'), take('bias'), take('running_mean'), take('running_var')]
    const scale = Float64Array.from(gamma, (value, c) => value / Math.sqrt((variance[c] as number) + BN_EPSILON))
    const shift = Float64Array.from(beta, (value, c) => value - (mean[c] as number) * (scale[c] as number))
    return { scale, shift }
  }
}

/** How many windows fit along each axis. */
function windows(size: number[], kernel: number, stride: number, pad: number): number[] {
  return size.map((length) => Math.floor((length + 2 * pad - kernel) / stride) + 1)
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

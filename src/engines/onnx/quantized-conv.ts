import type { ConvNode } from '../../resnet/graph.ts'

/**
 * Largest magnitude of a weight. Processors without VNNI add two products of uint8 and int8 in 16 bits: 2 * 255 * 64 is
 * the most that fits, so nothing saturates and every processor computes the same integers (docs/adr/0012).
 */
const WEIGHT_LIMIT = 64

/** Largest magnitude of a bias: half of what int32 holds, so that the products have room beside it. */
const BIAS_LIMIT = 2 ** 30

/** Real weight = `weightScale[o] * weight`, real bias = `inputScale * weightScale[o] * bias`. */
interface QuantizedConv {
  /** `[out, in, kernel, kernel]`, row-major. */
  weight: Int8Array
  /** `[out]` */
  weightScale: Float32Array
  /** `[out]` */
  bias: Int32Array
}

/**
 * Quantises weights to seven bits, symmetric, with one scale per output channel. Quantises the bias to int32 with the scale of
 * the products, so that it is added before rounding. `inputScale` is the scale of the uint8 input.
 */
export function quantizeConv(
  { weight, bias, outChannels }: Pick<ConvNode, 'weight' | 'bias' | 'outChannels'>,
  inputScale: number,
): QuantizedConv {
  const perOutput = weight.length / outChannels
  const quantized = {
    weight: new Int8Array(weight.length),
    weightScale: new Float32Array(outChannels),
    bias: new Int32Array(outChannels),
  }
  for (let o = 0; o < outChannels; o++) {
    const from = o * perOutput
    const channel = weight.subarray(from, from + perOutput)
    const forWeights = largestMagnitude(channel) / WEIGHT_LIMIT
    // A channel that training has let die has tiny weights and an ordinary bias: then the bias counts.
    const forBias = Math.abs(bias[o] as number) / (inputScale * BIAS_LIMIT)
    // A channel of zeros can have any scale except 0.
    const scale = Math.fround(Math.max(forWeights, forBias)) || 1
    quantized.weightScale[o] = scale
    for (let i = 0; i < perOutput; i++) quantized.weight[from + i] = Math.round((channel[i] as number) / scale)
    quantized.bias[o] = Math.round((bias[o] as number) / (inputScale * scale))
  }
  return quantized
}

function largestMagnitude(values: Float32Array): number {
  let largest = 0
  for (let i = 0; i < values.length; i++) largest = Math.max(largest, Math.abs(values[i] as number))
  return largest
}

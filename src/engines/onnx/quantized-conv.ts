import type { ConvNode } from '../../resnet/graph.ts'

/**
 * Largest magnitude of a weight. Processors without VNNI add two products of uint8 and int8 in 16 bits: 2 * 255 * 64 is
 * the most that fits, so nothing saturates and every processor computes the same integers (docs/adr/0012).
 */
const WEIGHT_LIMIT = 64
const INT32_LIMIT = 2 ** 31 - 1

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
export function quantizeConv(node: ConvNode, inputScale: number): QuantizedConv {
  const { weight, bias, outChannels } = node
  const perOutput = weight.length / outChannels
  const quantized = {
    weight: new Int8Array(weight.length),
    weightScale: new Float32Array(outChannels),
    bias: new Int32Array(outChannels),
  }
  for (let o = 0; o < outChannels; o++) {
    const from = o * perOutput
    const channel = weight.subarray(from, from + perOutput)
    // A channel of zeros can have any scale except 0.
    const scale = Math.fround((largestMagnitude(channel) || 1) / WEIGHT_LIMIT)
    quantized.weightScale[o] = scale
    for (let i = 0; i < perOutput; i++) quantized.weight[from + i] = Math.round((channel[i] as number) / scale)
    const sum = Math.round((bias[o] as number) / (inputScale * scale))
    quantized.bias[o] = Math.max(-INT32_LIMIT, Math.min(INT32_LIMIT, sum))
  }
  return quantized
}

function largestMagnitude(values: Float32Array): number {
  let largest = 0
  for (let i = 0; i < values.length; i++) largest = Math.max(largest, Math.abs(values[i] as number))
  return largest
}

import type { ConvNode } from '../../resnet/graph.ts'

/** The largest magnitude of a weight: -128 is left out, so that the range is symmetric. */
const WEIGHT_LIMIT = 127
const INT32_LIMIT = 2 ** 31 - 1

/** A convolution in integers: real weight = `weightScale[o] * weight`, real bias = `inputScale * weightScale[o] * bias`. */
interface QuantizedConv {
  /** `[out, in, kernel, kernel]`, row-major. */
  weight: Int8Array
  /** `[out]` */
  weightScale: Float32Array
  /** `[out]` */
  bias: Int32Array
}

/**
 * Weights to int8, symmetric, one scale per output channel; the bias to int32 on the scale that the sums of products
 * have, so that it is added before anything is rounded. `inputScale` is the scale of the convolution's uint8 input.
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
    // A channel of zeros may have any scale but zero.
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

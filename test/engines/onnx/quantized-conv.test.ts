import { describe, expect, it } from 'vitest'
import { quantizeConv } from '../../../src/engines/onnx/quantized-conv.ts'
import type { ConvNode } from '../../../src/resnet/graph.ts'

function conv(weight: number[], bias: number[]): ConvNode {
  const outChannels = bias.length
  return {
    op: 'conv',
    name: 'c',
    input: 'input',
    weight: Float32Array.from(weight),
    bias: Float32Array.from(bias),
    inChannels: weight.length / outChannels,
    outChannels,
    kernel: 1,
    stride: 1,
    pad: 0,
    relu: false,
    shape: [outChannels, 1, 1],
  }
}

describe('quantizeConv', () => {
  it('gives each output channel its own scale, so that its largest weight is 64', () => {
    const { weight, weightScale } = quantizeConv(conv([0.64, -0.5, 0.0128, 0.0064], [0, 0]), 1)
    expect([...weight]).toEqual([64, -50, 64, 32])
    expect(weightScale[0]).toBeCloseTo(0.01)
    expect(weightScale[1]).toBeCloseTo(0.0002)
  })

  it('leaves room for the sum of two products with uint8 in 16 bits, which is all that AVX2 has', () => {
    const [least, largest] = quantizeConv(conv([-3, 3], [0]), 1).weight as unknown as [number, number]
    expect(2 * 255 * largest).toBeLessThan(2 ** 15)
    expect(2 * 255 * least).toBeGreaterThanOrEqual(-(2 ** 15))
  })

  it('puts the bias on the scale of the sums', () => {
    const { bias, weightScale } = quantizeConv(conv([0.64], [-0.6]), 0.05)
    expect((bias[0] as number) * 0.05 * (weightScale[0] as number)).toBeCloseTo(-0.6, 3)
  })

  it('keeps the bias of a channel whose weights have all but vanished, with room in 32 bits for the products', () => {
    const { weight, bias, weightScale } = quantizeConv(conv([1e-9, 1e-9], [1, -1]), 1e-6)
    expect([...weight]).toEqual([0, 0])
    for (const [o, value] of [1, -1].entries()) {
      expect((bias[o] as number) * 1e-6 * (weightScale[o] as number)).toBeCloseTo(value, 6)
      expect(Math.abs(bias[o] as number)).toBeLessThanOrEqual(2 ** 30 + 64)
    }
  })

  it('makes zeros of a channel of zeros', () => {
    const { weight, weightScale, bias } = quantizeConv(conv([0, 0], [0]), 0.1)
    expect([...weight, ...bias]).toEqual([0, 0, 0])
    expect(weightScale[0]).toBeGreaterThan(0)
  })
})

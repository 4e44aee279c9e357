import { describe, expect, it } from 'vitest'
import { probeInputs, smallestCosine } from '../../../src/engines/onnx/self-check.ts'

const INPUT = { name: 'input', shape: [1, 9, 7] as [number, number, number] }
const QUANTIZATION = { activations: { input: { scale: 0.02, zero_point: 50 } }, fp32: [] }

describe('probeInputs', () => {
  it('are the same each time, and each unlike the others', () => {
    const { count, input } = probeInputs(INPUT, QUANTIZATION)
    expect(input).toEqual(probeInputs(INPUT, QUANTIZATION).input)
    expect(input).toHaveLength(count * 63)
    const rows = Array.from({ length: count }, (_, i) => input.slice(i * 63, (i + 1) * 63).join())
    expect(new Set(rows).size).toBe(count)
  })

  it('stay within the range that was calibrated, and use much of it', () => {
    const { input } = probeInputs(INPUT, QUANTIZATION)
    const [low, high] = [Math.min(...input), Math.max(...input)]
    expect(low).toBeGreaterThanOrEqual(0.02 * -50)
    expect(high).toBeLessThanOrEqual(0.02 * 205)
    expect(high - low).toBeGreaterThan(0.02 * 150)
  })
})

describe('probeInputs of three channels', () => {
  it('differ from channel to channel', () => {
    const { count, input } = probeInputs({ name: 'input', shape: [3, 9, 7] }, QUANTIZATION)
    expect(input).toHaveLength(count * 3 * 63)
    const planes = Array.from({ length: 3 * count }, (_, i) => input.slice(i * 63, (i + 1) * 63).join())
    expect(new Set(planes).size).toBe(3 * count)
  })
})

describe('smallestCosine', () => {
  it('is that of the worst row', () => {
    expect(smallestCosine(Float32Array.of(1, 1, 1, 0), Float32Array.of(1, 1, 0, 1), 2)).toBe(0)
  })

  it('is no number where any row has none', () => {
    expect(smallestCosine(Float32Array.of(1, 1, 1, Number.NaN), Float32Array.of(1, 1, 0, 1), 2)).toBeNaN()
  })
})

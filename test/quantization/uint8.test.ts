import { describe, expect, it } from 'vitest'
import { clamp, toActivation } from '../../src/quantization/uint8.ts'

describe('toActivation', () => {
  it('spans the range with 255 steps, zero on one of them', () => {
    expect(toActivation({ low: 0, high: 2.55 })).toEqual({ scale: 0.01, zero_point: 0 })
    expect(toActivation({ low: -1.28, high: 1.27 })).toEqual({ scale: 0.01, zero_point: 128 })
    expect(toActivation({ low: -2.55, high: 0 })).toEqual({ scale: 0.01, zero_point: 255 })
  })
})

describe('clamp', () => {
  it('ends where eight bits end', () => {
    expect([-3, 0, 17, 255, 300].map(clamp)).toEqual([0, 0, 17, 255, 255])
  })
})

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  bfloat16ToFloat32,
  float16ToFloat32,
  float32ToBfloat16,
  float32ToFloat16,
} from '../../src/repository/float16.ts'

const ALL = Uint16Array.from({ length: 65536 }, (_, bits) => bits)
const decode = (bits: number): number => float16ToFloat32(Uint16Array.of(bits))[0] as number
const encode = (value: number): number => float32ToFloat16(Float32Array.of(value))[0] as number

describe('float16', () => {
  it.each([
    ['zero', 0x0000, 0],
    ['minus zero', 0x8000, -0],
    ['the smallest subnormal', 0x0001, 2 ** -24],
    ['the largest subnormal', 0x03ff, 1023 * 2 ** -24],
    ['the smallest normal', 0x0400, 2 ** -14],
    ['one', 0x3c00, 1],
    ['minus two', 0xc000, -2],
    ['a third', 0x3555, 0.333251953125],
    ['the largest', 0x7bff, 65504],
    ['infinity', 0x7c00, Number.POSITIVE_INFINITY],
    ['minus infinity', 0xfc00, Number.NEGATIVE_INFINITY],
    ['not a number', 0x7e00, Number.NaN],
  ])('knows %s', (_, bits, value) => {
    expect(decode(bits)).toBe(value)
    expect(encode(value)).toBe(bits)
  })

  it('gives all 65,536 values back unchanged, every NaN as one NaN', () => {
    const back = float32ToFloat16(float16ToFloat32(ALL))
    const wrong = ALL.filter((bits) => back[bits] !== (isNaN16(bits) ? 0x7e00 : bits))
    expect(wrong).toHaveLength(0)
  })

  it('rounds a tie to the even neighbour', () => {
    expect(encode(1 + 2 ** -11)).toBe(0x3c00)
    expect(encode(1 + 3 * 2 ** -11)).toBe(0x3c02)
    expect(encode(2 ** -25)).toBe(0)
    expect(encode(3 * 2 ** -25)).toBe(2)
  })

  it('carries a round-up into the next power of two, out of the subnormals, and into infinity', () => {
    expect(encode(2 - 2 ** -12)).toBe(0x4000)
    expect(encode(2 ** -14 - 2 ** -26)).toBe(0x0400)
    expect(encode(65519)).toBe(0x7bff)
    expect(encode(65520)).toBe(0x7c00)
  })

  it('rounds every value to the nearest there is', () => {
    const exponent = fc.integer({ min: -27, max: 17 })
    fc.assert(
      fc.property(exponent, fc.float({ min: 1, max: 2, noNaN: true }), fc.boolean(), (power, significand, negative) => {
        const value = Math.fround((negative ? -1 : 1) * significand * 2 ** power)
        expect(encode(value)).toBe(nearest(value))
      }),
      { numRuns: 300 },
    )
  })
})

function isNaN16(bits: number): boolean {
  return (bits & 0x7c00) === 0x7c00 && (bits & 0x03ff) !== 0
}

/** By search over all finite values, with 2^16 in the place of infinity, as IEEE 754 rounds. */
function nearest(value: number): number {
  const magnitude = Math.abs(value)
  let [best, distance] = [0, Number.POSITIVE_INFINITY]
  for (let bits = 0; bits <= 0x7c00; bits++) {
    const gap = Math.abs((bits === 0x7c00 ? 65536 : decodeTable[bits]) as number) - magnitude
    if (Math.abs(gap) < distance || (Math.abs(gap) === distance && bits % 2 === 0)) {
      ;[best, distance] = [bits, Math.abs(gap)]
    }
  }
  return best | (value < 0 ? 0x8000 : 0)
}

const decodeTable = float16ToFloat32(ALL)

describe('bfloat16', () => {
  it.each([
    [0x3f80, 1],
    [0xc000, -2],
    [0x0000, 0],
    // Between two: to the nearer, and from the middle to the even one.
    [0x3f81, 1 + 1.1 * 2 ** -8],
    [0x3f80, 1 + 2 ** -8],
    [0x3f82, 1 + 3 * 2 ** -8],
    // The carry is the next exponent.
    [0x4000, 2 - 2 ** -9],
  ])('is %i for %f', (bits, value) => {
    expect(float32ToBfloat16(Float32Array.of(value))[0]).toBe(bits)
  })

  it.each([
    [0x3f80, 1],
    [0xc000, -2],
    [0xc2f7, -123.5],
    [0x0001, 2 ** -133],
    [0xff80, Number.NEGATIVE_INFINITY],
    [0x7fc0, Number.NaN],
  ])('%i is %f, exactly', (bits, value) => {
    expect(bfloat16ToFloat32(Uint16Array.of(bits))[0]).toBe(value)
  })
})

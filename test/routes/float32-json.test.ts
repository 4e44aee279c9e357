import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { float32ArrayToJson, shortestFloat32 } from '../../src/routes/float32-json.ts'

const expected = (vector: Float32Array): string => JSON.stringify(Array.from(vector, shortestFloat32))

describe('float32ArrayToJson', () => {
  it('prints what people expect', () => {
    const vector = Float32Array.of(0, -0, 1, -1, 0.1, -12.5, 1 / 3, 100, 123456, 1e-6, 0.000123, 999999.9, 7)
    expect(float32ArrayToJson(vector)).toBe('[0,0,1,-1,0.1,-12.5,0.33333334,100,123456,0.000001,0.000123,999999.9,7]')
    expect(float32ArrayToJson(new Float32Array())).toBe('[]')
  })

  it('is what JSON.stringify makes of the shortest doubles, whatever the values', () => {
    fc.assert(
      fc.property(fc.float32Array({ minLength: 0, maxLength: 300 }), (vector) => {
        expect(float32ArrayToJson(vector)).toBe(expected(vector))
      }),
      { numRuns: 2000 },
    )
  })

  it('is so too in the range that model outputs have', () => {
    const output = fc.float({ min: -30, max: 30, noNaN: true })
    fc.assert(
      fc.property(fc.array(output, { minLength: 1, maxLength: 300 }), (values) => {
        const vector = Float32Array.from(values)
        expect(float32ArrayToJson(vector)).toBe(expected(vector))
      }),
      { numRuns: 2000 },
    )
  })

  it('holds near every power of ten, where the number of digits changes', () => {
    for (let exponent = -12; exponent <= 12; exponent++) {
      const bits = new Uint32Array(Float32Array.of(10 ** exponent).buffer)[0] as number
      const steps = Uint32Array.from({ length: 401 }, (_, i) => bits + i - 200)
      const vector = new Float32Array(steps.buffer)
      expect(float32ArrayToJson(vector)).toBe(expected(vector))
    }
  })

  it('writes null for what JSON has no number for', () => {
    expect(float32ArrayToJson(Float32Array.of(Number.NaN, Number.POSITIVE_INFINITY))).toBe('[null,null]')
  })

  it('makes room for vectors of any length, of the longest numbers', () => {
    const vector = new Float32Array(100_000).fill(-1.17549435e-38)
    expect(float32ArrayToJson(vector)).toBe(expected(vector))
  })
})

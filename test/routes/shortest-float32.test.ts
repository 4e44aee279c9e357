import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { shortestFloat32 } from '../../src/routes/float32-json.ts'

/** The fewest significant digits that read back as x, found by trying them all. */
function fewestDigits(x: number): number {
  for (let digits = 1; digits < 9; digits++) if (Math.fround(Number(x.toPrecision(digits))) === x) return digits
  return 9
}

function digitsOf(text: string): number {
  const [mantissa = ''] = text.replace('-', '').split('e')
  return mantissa.replace('.', '').replace(/^0+/, '').replace(/0+$/, '').length || 1
}

const anyFloat32 = fc.float({ noNaN: true, noDefaultInfinity: true })

describe('shortestFloat32', () => {
  it('prints what people expect', () => {
    const print = (x: number): string => JSON.stringify(shortestFloat32(Math.fround(x)))
    expect([0.1, -0.1, 1 / 3, 1, 0, 100, 1e-7, 3.4028235e38, 16777216, 1e10].map(print)).toEqual([
      '0.1',
      '-0.1',
      '0.33333334',
      '1',
      '0',
      '100',
      '1e-7',
      '3.4028235e+38',
      '16777216',
      '10000000000',
    ])
  })

  it('reads back as the same float32, whatever it is', () => {
    fc.assert(
      fc.property(anyFloat32, (x) => Object.is(Math.fround(JSON.parse(JSON.stringify(shortestFloat32(x)))), x + 0)),
      { numRuns: 20_000 },
    )
  })

  it('has no more digits than needed', () => {
    fc.assert(
      fc.property(anyFloat32, (x) => digitsOf(JSON.stringify(shortestFloat32(x))) <= fewestDigits(x)),
      { numRuns: 20_000 },
    )
  })

  it('holds near every power of ten, where the number of digits changes', () => {
    for (let exponent = -40; exponent <= 38; exponent++) {
      const bits = new Uint32Array(Float32Array.of(10 ** exponent).buffer)[0] as number
      for (let step = -50; step <= 50; step++) {
        const x = new Float32Array(Uint32Array.of(Math.max(0, bits + step)).buffer)[0] as number
        const text = JSON.stringify(shortestFloat32(x))
        expect(Math.fround(Number(text))).toBe(x)
        expect(digitsOf(text)).toBeLessThanOrEqual(fewestDigits(x))
      }
    }
  })
})

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { serializeJson } from '../../src/server/serialize-json.ts'

describe('serializeJson', () => {
  it('is JSON.stringify for whatever holds no vector', () => {
    fc.assert(fc.property(fc.jsonValue(), (value) => serializeJson(value) === JSON.stringify(value)))
  })

  it('prints float32 vectors as arrays of their shortest numbers, wherever they are', () => {
    const vector = Float32Array.of(0.1, -2, 1 / 3)
    expect(serializeJson({ results: [{ label: 'ä"', embedding: vector }, { logits: vector }] })).toBe(
      '{"results":[{"label":"ä\\"","embedding":[0.1,-2,0.33333334]},{"logits":[0.1,-2,0.33333334]}]}',
    )
  })

  it('leaves out what is undefined in an object and keeps its place in an array', () => {
    expect(serializeJson({ a: undefined, b: [undefined, 1], c: null })).toBe('{"b":[null,1],"c":null}')
  })

  it('prints a Map as an object whose names keep their order, numbers too', () => {
    expect(
      serializeJson({
        scores: new Map([
          ['7', 0.5],
          ['b"', 0.25],
          ['__proto__', 0.125],
          ['1', 0],
        ]),
      }),
    ).toBe('{"scores":{"7":0.5,"b\\"":0.25,"__proto__":0.125,"1":0}}')
  })

  it('asks an object that has its own JSON form', () => {
    const date = new Date(0)
    expect(serializeJson({ date })).toBe(JSON.stringify({ date }))
  })
})

import { describe, expect, it } from 'vitest'
import { withQuantization } from '../../src/quantization/model-json.ts'
import type { Quantization } from '../../src/repository/quantization.ts'

const FIRST: Quantization = {
  activations: { input: { scale: 0.5, zero_point: 3 }, 'layer1.0': { scale: 1.25e-7, zero_point: 0 } },
  fp32: ['conv1'],
  report: { method: 'mse', evaluation: { samples: 2 } },
}
const SECOND: Quantization = { activations: { input: { scale: 2, zero_point: 255 } }, fp32: [] }

const TEXTS = {
  'a file in one line': '{"name":"a","labels":["x","y"],"n":{"quantization":1}}',
  'a file of odd habits':
    '\n{\n\t"name" : "a \\" \\"quantization\\": {",\n   "std": 1.0e+0,\n\n  "labels": [ "}", "{" ]\n}\n\n',
  'an empty object': '{}',
}

describe('withQuantization', () => {
  it.each(Object.entries(TEXTS))('adds it to %s, and leaves the rest as it was', (_, text) => {
    const changed = withQuantization(text, FIRST)
    expect(JSON.parse(changed)).toEqual({ ...JSON.parse(text), quantization: FIRST })
    const members = text.slice(0, text.lastIndexOf('}')).trimEnd()
    expect(changed.startsWith(members)).toBe(true)
  })

  it.each(Object.entries(TEXTS))('replaces what is there in %s, and nothing else', (_, text) => {
    const once = withQuantization(text, SECOND)
    expect(withQuantization(withQuantization(text, FIRST), SECOND)).toBe(once)
    expect(withQuantization(once, SECOND)).toBe(once)
  })

  it('finds it wherever it stands, and in whatever form', () => {
    const text = '{"a": 1, "quantization" : null , "b": {"quantization": [2]}}'
    const changed = withQuantization(text, SECOND)
    expect(changed.startsWith('{"a": 1, "quantization" : {')).toBe(true)
    expect(changed.endsWith('} , "b": {"quantization": [2]}}')).toBe(true)
    expect(JSON.parse(changed)).toEqual({ a: 1, quantization: SECOND, b: { quantization: [2] } })
  })

  it('writes one line per value', () => {
    expect(withQuantization('{}', FIRST).split('\n')).toContain('      "input": {"scale": 0.5, "zero_point": 3},')
  })
})

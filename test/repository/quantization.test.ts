import { describe, expect, it } from 'vitest'
import { parseManifest } from '../../src/repository/manifest.ts'
import { manifestJson } from '../helpers/manifests.ts'

const parse = (quantization: unknown) => parseManifest(JSON.stringify(manifestJson({ quantization }))).quantization

describe('quantization in model.json', () => {
  it('holds a scale and a zero point per value, the nodes that stay in fp32, and a report for people', () => {
    const quantization = {
      activations: { input: { scale: 0.5, zero_point: 3 } },
      fp32: ['conv1'],
      report: { anything: [1] },
    }
    expect(parse(quantization)).toEqual(quantization)
  })

  it('may be absent', () => {
    expect(parse(undefined)).toBeUndefined()
  })

  it.each([
    ['a scale of zero', { scale: 0, zero_point: 0 }],
    ['a negative scale', { scale: -1, zero_point: 0 }],
    ['a zero point beyond eight bits', { scale: 1, zero_point: 256 }],
    ['a negative zero point', { scale: 1, zero_point: -1 }],
    ['a zero point between two steps', { scale: 1, zero_point: 0.5 }],
    ['no zero point', { scale: 1 }],
    ['a field that nobody knows', { scale: 1, zero_point: 0, bits: 8 }],
  ])('is refused with %s, the value named', (_, activation) => {
    expect(() => parse({ activations: { 'layer1.0': activation }, fp32: [] })).toThrow(
      /^quantization\.activations\.layer1\.0/,
    )
  })

  it('is refused without its list of fp32 nodes', () => {
    expect(() => parse({ activations: {} })).toThrow(/^quantization/)
  })
})

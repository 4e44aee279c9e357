import { describe, expect, it } from 'vitest'
import { parseManifest } from '../../src/repository/manifest.ts'
import { manifestJson } from '../helpers/manifests.ts'

const json = manifestJson()
const architecture = json.architecture as object
const input = json.input as object

/** The embedding space of a model.json, changed and written as given. */
const spaceOf = (changes: object = {}, write: (json: object) => string = JSON.stringify) =>
  parseManifest(write(manifestJson(changes))).embeddingSpace

describe('the embedding space', () => {
  it('is 16 hexadecimal digits that never change for the same model.json', () => {
    expect(spaceOf()).toBe('5061bdf9e9dea423')
  })

  it('is the same whatever the order of the keys', () => {
    const reversed = (value: object): object =>
      Object.fromEntries(
        Object.entries(value)
          .reverse()
          .map(([key, inner]) => [key, isObject(inner) ? reversed(inner) : inner]),
      )
    const isObject = (value: unknown): value is object =>
      typeof value === 'object' && value !== null && !Array.isArray(value)
    expect(spaceOf({}, (each) => JSON.stringify(reversed(each)))).toBe(spaceOf())
  })

  it('is the same whether defaults are spelled out or not', () => {
    const spelledOut = {
      architecture: { ...architecture, shortcut: 'projection', in_channels: 1 },
      input: { ...input, ink_size: 20 },
    }
    expect(spaceOf(spelledOut)).toBe(spaceOf())
    const [depth, layers] = [{ depth: 18 }, { block: 'basic', layers: [2, 2, 2, 2] }].map((each) => ({
      architecture: { ...each, num_classes: 2 },
    }))
    expect(spaceOf(depth)).toBe(spaceOf(layers))
  })

  it('is the same however a number is spelled', () => {
    const spelledOtherwise = (each: object) => JSON.stringify(each).replace('"std":0.25', '"std":25.0e-2')
    expect(spelledOtherwise(json)).not.toBe(JSON.stringify(json))
    expect(spaceOf({}, spelledOtherwise)).toBe(spaceOf())
  })

  it.each<[string, object]>([
    ['name', { name: 'other' }],
    ['version', { version: '2' }],
    ['description', { description: 'the same, described' }],
    ['labels', { labels: ['odd', 'even'] }],
    ['activation', { activation: 'sigmoid' }],
    ['max_batch_size', { max_batch_size: 4 }],
    ['quantization', { quantization: { activations: {}, fp32: [] } }],
    ['provenance', { provenance: { by: 'someone' } }],
  ])('is the same whatever the %s', (_field, change) => {
    expect(spaceOf(change)).toBe(spaceOf())
  })

  it.each<[string, object]>([
    ['other weights', { weights: { sha256: '1'.repeat(64) } }],
    ['another mean', { input: { ...input, mean: 0.5001 } }],
    ['another std', { input: { ...input, std: 0.2501 } }],
    ['another fit', { input: { ...input, fit: 'contain' } }],
    ['another polarity', { input: { ...input, invert: 'never' } }],
    ['another size', { input: { ...input, width: 29 } }],
    ['another shortcut', { architecture: { ...architecture, shortcut: 'zero-pad' } }],
  ])('is another one with %s', (_what, change) => {
    expect(spaceOf(change)).not.toBe(spaceOf())
  })

  it('tells height from width', () => {
    const [high, wide] = [
      { height: 32, width: 28 },
      { height: 28, width: 32 },
    ].map((size) => ({
      input: { ...input, ...size },
    }))
    expect(spaceOf(high)).not.toBe(spaceOf(wide))
  })
})

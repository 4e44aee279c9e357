import { describe, expect, it } from 'vitest'
import { parseManifest } from '../../src/repository/manifest.ts'
import { type ArchitectureJson, parseArchitecture } from '../../src/resnet/architecture.ts'
import { manifestJson } from '../helpers/manifests.ts'

const parse = (changes: object) => parseManifest(JSON.stringify(manifestJson(changes)))
const input = manifestJson().input as object
const architecture = manifestJson().architecture as ArchitectureJson

describe('parseManifest', () => {
  it('reads a sound file', () => {
    const labels = ['odd', 'even']
    expect(parse({ labels, provenance: { by: 'test' }, metrics: { accuracy: 1 } })).toEqual({
      name: 'digits',
      version: '1',
      description: undefined,
      architecture: parseArchitecture(architecture),
      input: {
        height: 28,
        width: 28,
        channels: 'grey',
        mean: [0.5],
        std: [0.25],
        fit: 'ink',
        invert: 'auto',
        inkSize: 20,
      },
      labels,
      activation: 'softmax',
      maxBatchSize: Number.POSITIVE_INFINITY,
      weightsSha256: '0'.repeat(64),
      embeddingSpace: expect.stringMatching(/^[0-9a-f]{16}$/),
      provenance: { by: 'test' },
      metrics: { accuracy: 1 },
    })
  })

  it('reads a file that begins with a byte order mark', () => {
    const text = JSON.stringify(manifestJson())
    expect(parseManifest(`\uFEFF${text}`)).toEqual(parseManifest(text))
    expect(() => parseManifest(`\uFEFF\uFEFF${text}`)).toThrow('not JSON')
  })

  it('labels classes by number when it has no labels', () => {
    expect(parse({}).labels).toEqual(['0', '1'])
  })

  it('takes the activation and the largest batch that it names', () => {
    expect(parse({ activation: 'sigmoid', max_batch_size: 4 })).toMatchObject({
      activation: 'sigmoid',
      maxBatchSize: 4,
    })
  })

  it("takes MNIST's proportion for ink of no given size, and the given size otherwise", () => {
    expect(parse({ input: { ...input, height: 56, width: 70 } }).input).toMatchObject({ inkSize: 40 })
    expect(parse({ input: { ...input, ink_size: 24 } }).input).toMatchObject({ inkSize: 24 })
  })

  it.each<[string, object, string]>([
    ['a missing name', { name: undefined }, 'name'],
    ['a name with a slash', { name: 'a/b' }, 'name'],
    ['a name too long', { name: 'a'.repeat(65) }, 'name'],
    ['a version that is a number', { version: 1 }, 'version'],
    ['an unknown field', { wieghts: {} }, 'wieghts: there is no such field'],
    ['an unknown depth', { architecture: { depth: 20 } }, 'architecture.depth'],
    ['an architecture that is not one', { architecture: {} }, 'architecture: give either'],
    ['an unknown activation', { activation: 'tanh' }, 'activation'],
    ['batches of nothing', { max_batch_size: 0 }, 'max_batch_size'],
    ['three channels', { architecture: { ...architecture, in_channels: 3 } }, 'architecture.in_channels'],
    ['no height', { input: { ...input, height: 0 } }, 'input.height'],
    ['a std of 0', { input: { ...input, std: 0 } }, 'input.std'],
    ['an unknown fit', { input: { ...input, fit: 'stretch' } }, 'input.fit'],
    ['ink larger than the input', { input: { ...input, ink_size: 29 } }, 'input.ink_size'],
    ['too few labels', { labels: ['odd'] }, 'labels: 1 for 2 classes'],
    ['a sha256 that is none', { weights: { sha256: 'abc' } }, 'weights.sha256'],
  ])('refuses %s, and says where', (_, changes, words) => {
    expect(() => parse(changes)).toThrow(words)
  })

  it.each(['', '{', 'null', '[]', '"digits"'])('refuses the text %j', (text) => {
    expect(() => parseManifest(text)).toThrow()
  })
})

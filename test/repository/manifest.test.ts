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

  it('reads a photograph’s input, and fills in torchvision’s defaults', () => {
    const photograph = { height: 224, width: 224, channels: 'rgb', mean: [0.485, 0.456, 0.406], std: 0.25 }
    const rgb = { ...architecture, in_channels: 3 }
    expect(parse({ architecture: rgb, input: { ...photograph, resize: 256, crop: 'center' } }).input).toEqual({
      height: 224,
      width: 224,
      channels: 'rgb',
      mean: [0.485, 0.456, 0.406],
      std: [0.25, 0.25, 0.25],
      resize: 256,
      crop: 'center',
      interpolation: 'bilinear',
      orientation: 'ignore',
      alpha: 'drop',
    })
    const how = { interpolation: 'bicubic', orientation: 'exif', alpha: 'white', channels: 'bgr' }
    const stretched = parse({ architecture: rgb, input: { ...photograph, ...how, resize: [224, 224] } }).input
    expect(stretched).toMatchObject({ ...how, resize: [224, 224] })
    expect(stretched).not.toHaveProperty('crop')
    const squashed = parse({ architecture: rgb, input: { ...photograph, resize: [256, 240], crop: 'center' } }).input
    expect(squashed).toMatchObject({ resize: [256, 240], crop: 'center' })
    const grey = { height: 8, width: 8, mean: 0, std: 1, resize: [8, 8] }
    expect(parse({ input: grey }).input).toMatchObject({ channels: 'grey', mean: [0], std: [1] })
  })

  /** Of one channel, 8 x 8. */
  const photograph = { height: 8, width: 8, mean: 0, std: 1, resize: [8, 8] }

  it.each<[string, object, string]>([
    [
      'neither fit nor resize',
      { height: 8, width: 8, mean: 0, std: 1 },
      'input: give fit, for drawings, or resize, for',
    ],
    ['fit with resize', { ...input, resize: 8 }, 'input.resize: does not go with fit'],
    ['fit with crop', { ...input, crop: 'center' }, 'input.crop: does not go with fit'],
    ['fit with interpolation', { ...input, interpolation: 'nearest' }, 'input.interpolation: does not go with fit'],
    ['fit with orientation', { ...input, orientation: 'exif' }, 'input.orientation: does not go with fit'],
    ['fit with alpha', { ...input, alpha: 'drop' }, 'input.alpha: does not go with fit'],
    ['fit in colour', { ...input, channels: 'rgb' }, 'input.channels: with fit the model sees grey, not rgb'],
    ['fit without invert', { ...input, invert: undefined }, 'input.invert: with fit, give auto or never'],
    ['resize with invert', { ...photograph, invert: 'auto' }, 'input.invert: does not go with resize'],
    ['resize with ink_size', { ...photograph, ink_size: 4 }, 'input.ink_size: does not go with resize'],
    ['a shortest edge without crop', { ...photograph, resize: 8 }, 'input.crop: resize is the shortest edge; only'],
    ['another size without crop', { ...photograph, resize: [8, 9] }, 'input.resize: without crop it must be [8, 8]'],
    ['a size of three numbers', { ...photograph, resize: [8, 8, 3] }, 'input.resize: must be the shortest edge, or ['],
    ['a size of no whole number', { ...photograph, resize: 8.5 }, 'input.resize: must be the shortest edge, or ['],
    ['a size in words', { ...photograph, resize: '8' }, 'input.resize: must be the shortest edge, or ['],
    ['another crop', { ...photograph, crop: 'left' }, 'input.crop: must be one of center, center-floor'],
    ['another interpolation', { ...photograph, interpolation: 'lanczos' }, 'must be one of bilinear, bicubic, nearest'],
    ['other channels', { ...photograph, channels: 'rgba' }, 'input.channels: must be one of grey, rgb, bgr'],
    ['another orientation', { ...photograph, orientation: 6 }, 'input.orientation: must be one of exif, ignore'],
    ['another alpha', { ...photograph, alpha: 'grey' }, 'input.alpha: must be one of drop, white, black'],
    ['a mean too many', { ...photograph, mean: [0, 0] }, 'input.mean: 2 numbers, but grey has 1 channel'],
    ['a mean in words', { ...photograph, mean: ['0'] }, 'input.mean: must be a number, or one per channel'],
    [
      'a std of 0 in one channel',
      { ...photograph, std: [0] },
      'input.std: must be a number above 0, or one per channel',
    ],
    ['no mean', { ...photograph, mean: undefined }, 'input: must have required properties mean'],
    [
      'colours for a model of one channel',
      { ...photograph, channels: 'rgb' },
      'architecture.in_channels: the model has 1;',
    ],
  ])('refuses %s, and says what is wrong with it', (_, changed, words) => {
    expect(() => parse({ input: changed })).toThrow(words)
  })

  it('says how many channels a model of three needs', () => {
    expect(() => parse({ architecture: { ...architecture, in_channels: 3 }, input: photograph })).toThrow(
      'architecture.in_channels: the model has 3; pictures are read as grey, which is 1 (input.channels)',
    )
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

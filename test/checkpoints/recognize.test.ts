import { describe, expect, it } from 'vitest'
import { locateResNets } from '../../src/checkpoints/canonical-names.ts'
import { applyChoices, combinations } from '../../src/checkpoints/choices.ts'
import { type Recognized, recognize } from '../../src/checkpoints/recognize.ts'
import { parseArchitecture } from '../../src/resnet/architecture.ts'
import { libraryNames, libraryShapes } from '../helpers/library-checkpoints.ts'
import { readParityFixture } from '../helpers/parity-fixtures.ts'

/** Fixtures that need another value than the default where shapes leave a choice. */
const NOT_BY_DEFAULT = ['cifar-after', 'transformers-v1']

function recognizeShapes(shapes: Map<string, { shape: number[] }>): Recognized {
  const [located] = locateResNets(shapes)
  if (located === undefined) throw new Error('no ResNet')
  return recognize(located, shapes)
}

function readings({ architecture, choices }: Recognized) {
  return combinations(choices).map((values) => parseArchitecture(applyChoices(architecture, choices, values)))
}

/** A basic ResNet of one block, by torchvision's names. */
function tiny(changes: Record<string, number[] | undefined> = {}): Map<string, { shape: number[] }> {
  const norm = (name: string, size: number) =>
    Object.fromEntries(['weight', 'bias', 'running_mean', 'running_var'].map((kind) => [`${name}.${kind}`, [size]]))
  const tensors: Record<string, number[] | undefined> = {
    'conv1.weight': [4, 3, 7, 7],
    ...norm('bn1', 4),
    'layer1.0.conv1.weight': [4, 4, 3, 3],
    ...norm('layer1.0.bn1', 4),
    'layer1.0.conv2.weight': [4, 4, 3, 3],
    ...norm('layer1.0.bn2', 4),
    'fc.weight': [2, 4],
    'fc.bias': [2],
    ...changes,
  }
  return new Map(Object.entries(tensors).flatMap(([name, shape]) => (shape ? [[name, { shape }] as const] : [])))
}

describe('recognising an architecture from names and shapes', () => {
  it.each(libraryNames)('finds what the library made, among what shapes leave open: %s', (name) => {
    const { architecture } = readParityFixture(name).entry.manifest
    expect(readings(recognizeShapes(libraryShapes(name)))).toContainEqual(architecture)
  })

  it.each(libraryNames.filter((name) => !NOT_BY_DEFAULT.includes(name)))('takes it by default: %s', (name) => {
    const { architecture } = readParityFixture(name).entry.manifest
    expect(readings(recognizeShapes(libraryShapes(name)))[0]).toEqual(architecture)
  })

  it('leaves over what lies beside the model', () => {
    const { architecture, leftOver } = recognizeShapes(tiny({ 'projector.0.weight': [8, 4] }))
    expect(architecture).toMatchObject({ block: 'basic', layers: [1], width: 4, num_classes: 2 })
    expect(leftOver).toEqual(['projector.0.weight'])
  })

  it("takes a convolution's bias off the mean of the batch norm after it", () => {
    const { tensors } = recognizeShapes(tiny({ 'conv1.bias': [4] }))
    expect(tensors.get('bn1.running_mean')).toEqual({ stored: 'bn1.running_mean', minus: 'conv1.bias' })
  })

  it('gives a classifier without a bias one of zeros', () => {
    expect(recognizeShapes(tiny({ 'fc.bias': undefined })).tensors.get('fc.bias')).toBe('zeros')
  })

  it('reads a classifier of several layers in their order', () => {
    const head = { 'fc.weight': undefined, 'fc.bias': undefined, 'fc.0.weight': [6, 4], 'fc.0.bias': [6] }
    const { architecture, choices } = recognizeShapes(tiny({ ...head, 'fc.3.weight': [2, 6], 'fc.3.bias': [2] }))
    expect(architecture).toMatchObject({ hidden_sizes: [6], num_classes: 2 })
    expect(choices.map(({ flag }) => flag)).toContain('hidden-activation')
  })

  it.each<[string, Record<string, number[] | undefined>, RegExp]>([
    [
      'grouped convolutions',
      { 'layer1.0.conv2.weight': [4, 2, 3, 3] },
      /layer1\.0\.conv2\.weight reads 2 channels of 4.*ResNeXt/,
    ],
    ['a missing batch norm', { 'layer1.0.bn2.weight': undefined }, /layer1\.0\.bn2\.weight is missing/],
    ['group normalisation', { 'bn1.running_mean': undefined }, /bn1\.weight has no running_mean: it is a GroupNorm/],
    ['a tensor without a place in a block', { 'layer1.0.extra.weight': [4] }, /layer1\.0\.extra\.weight has no place/],
    ['a batch norm in the classifier', { 'fc.1.running_mean': [2] }, /fc\.1\.running_mean.*no linear layer/],
    ['a classifier of another length', { 'fc.weight': [2, 5] }, /fc\.weight reads 5 values.*has 4/],
    ['a convolution of another rank', { 'conv1.weight': [4, 3, 7] }, /conv1\.weight has shape \[4,3,7\]/],
  ])('refuses %s and names the tensor', (_, changes, message) => {
    expect(() => recognizeShapes(tiny(changes))).toThrow(message)
  })
})

import { describe, expect, it } from 'vitest'
import { inputFromJson, readBeside } from '../../src/checkpoints/beside.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'

const PREPROCESSOR = {
  image_processor_type: 'ConvNextImageProcessor',
  image_mean: [0.1, 0.2, 0.3],
  image_std: [1, 1, 1],
}

const timm = (changes: object = {}) => ({
  architecture: 'resnet50d',
  pretrained_cfg: {
    input_size: [3, 224, 224],
    mean: [0.485, 0.456, 0.406],
    std: [0.229, 0.224, 0.225],
    crop_pct: 0.95,
    interpolation: 'bicubic',
    ...changes,
  },
})

function beside(files: Record<string, object>) {
  const texts = Object.entries(files).map(([name, json]) => [name, JSON.stringify(json)])
  return readBeside(temporaryFolder(Object.fromEntries(texts)))
}

describe('what lies beside the weights', () => {
  it('is nothing where there is nothing', () => {
    expect(beside({})).toEqual({ input: undefined, labels: undefined, known: new Map() })
  })

  it("takes timm's size, crop and interpolation as its own transform does", () => {
    const expected = { height: 224, width: 224, channels: 'rgb', resize: 235, interpolation: 'bicubic', crop: 'center' }
    expect(beside({ 'config.json': timm() }).input?.input).toMatchObject(expected)
  })

  it('takes the labels of timm and of transformers, and none that are numbers', () => {
    const named = { ...timm(), label_names: ['n1', 'n2'], label_descriptions: { n1: 'cat' } }
    expect(beside({ 'config.json': named }).labels).toEqual(['cat', 'n2'])
    const labelled = (id2label: object) => beside({ 'config.json': { model_type: 'resnet', id2label } }).labels
    expect(labelled({ 0: 'cat', 1: 'dog' })).toEqual(['cat', 'dog'])
    expect(labelled({ 0: 'LABEL_0', 1: 'LABEL_1' })).toBeUndefined()
  })

  it.each([
    [true, '1x1'],
    [false, '3x3'],
  ])('knows from transformers which convolution has the stride: downsample_in_bottleneck %s', (v1, value) => {
    const { known } = beside({ 'config.json': { model_type: 'resnet', downsample_in_bottleneck: v1 } })
    expect(known.get('stride-on')?.value).toBe(value)
  })

  it.each([
    [
      { size: { shortest_edge: 224 }, crop_pct: 0.875, resample: 3 },
      { resize: 256, crop: 'center-floor', interpolation: 'bicubic' },
    ],
    [
      { size: 224, resample: 2 },
      { resize: 256, interpolation: 'bilinear' },
    ],
    [{ size: { shortest_edge: 384 } }, { height: 384, width: 384, resize: [384, 384] }],
  ])('prepares as ConvNextImageProcessor: %j', (config, expected) => {
    expect(inputFromJson({ ...PREPROCESSOR, ...config }).input).toMatchObject(expected)
  })

  it("takes a height and a width without a processor's type as they are: ConvNextImageProcessor has none", () => {
    const { image_processor_type: _, ...rest } = PREPROCESSOR
    const { input } = inputFromJson({ ...rest, size: { height: 32, width: 48 } })
    expect(input).toMatchObject({ height: 32, width: 48, resize: [32, 48] })
    expect(input).not.toHaveProperty('crop')
  })

  it.each<[string, Record<string, object>, RegExp]>([
    ['an anti-aliased model', { 'config.json': { ...timm(), architecture: 'resnetblur50' } }, /anti-aliased strides/],
    ['a grouped model', { 'config.json': { ...timm(), architecture: 'resnext50_32x4d' } }, /ResNeXt/],
    ['another model of transformers', { 'config.json': { model_type: 'vit' } }, /model_type is vit/],
    ['another activation', { 'config.json': { model_type: 'resnet', hidden_act: 'gelu' } }, /hidden_act is gelu/],
    ['another crop', { 'config.json': timm({ crop_mode: 'border' }) }, /crop_mode is border/],
    ['another interpolation', { 'preprocessor_config.json': { ...PREPROCESSOR, resample: 1 } }, /resample is 1/],
    ['no resize', { 'preprocessor_config.json': { ...PREPROCESSOR, do_resize: false } }, /do_resize is false/],
  ])('refuses %s and names the file', (_, files, message) => {
    expect(() => beside(files)).toThrow(message)
    expect(() => beside(files)).toThrow(Object.keys(files)[0])
  })
})

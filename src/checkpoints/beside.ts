import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Static, Type } from 'typebox'
import { Value } from 'typebox/value'
import { inFile } from '../repository/in-file.ts'
import type { InputJson } from '../repository/input-spec.ts'
import type { Known } from './choices.ts'
import type { Preset } from './input-presets.ts'
import { refusedByName } from './not-plain.ts'

/** What the files beside the weights say: config.json and preprocessor_config.json of transformers and timm. */
export interface Beside {
  /** Undefined if no file says how pictures are prepared. */
  input: Preset | undefined
  labels: string[] | undefined
  known: Known
}

/** Loose where we read nothing: these files have many more fields. */
const TransformersConfig = Type.Object({
  model_type: Type.String(),
  hidden_act: Type.Optional(Type.String()),
  downsample_in_bottleneck: Type.Optional(Type.Boolean()),
  downsample_in_first_stage: Type.Optional(Type.Boolean()),
  id2label: Type.Optional(Type.Record(Type.String(), Type.String())),
})

const Normalisation = { mean: Type.Array(Type.Number()), std: Type.Array(Type.Number()) }

const TimmConfig = Type.Object({
  architecture: Type.String(),
  label_names: Type.Optional(Type.Array(Type.String())),
  label_descriptions: Type.Optional(Type.Record(Type.String(), Type.String())),
  pretrained_cfg: Type.Object({
    ...Normalisation,
    input_size: Type.Tuple([Type.Integer(), Type.Integer(), Type.Integer()]),
    crop_pct: Type.Optional(Type.Number({ exclusiveMinimum: 0, maximum: 1 })),
    crop_mode: Type.Optional(Type.String()),
    interpolation: Type.Optional(Type.String()),
  }),
})

const Size = Type.Union([
  Type.Integer(),
  Type.Object({ shortest_edge: Type.Integer() }),
  Type.Object({ height: Type.Integer(), width: Type.Integer() }),
])

const Preprocessor = Type.Object({
  image_processor_type: Type.Optional(Type.String()),
  feature_extractor_type: Type.Optional(Type.String()),
  size: Type.Optional(Size),
  crop_size: Type.Optional(Size),
  crop_pct: Type.Optional(Type.Union([Type.Number({ exclusiveMinimum: 0, maximum: 1 }), Type.Null()])),
  resample: Type.Optional(Type.Integer()),
  do_resize: Type.Optional(Type.Boolean()),
  do_center_crop: Type.Optional(Type.Boolean()),
  do_rescale: Type.Optional(Type.Boolean()),
  do_normalize: Type.Optional(Type.Boolean()),
  image_mean: Type.Optional(Type.Array(Type.Number())),
  image_std: Type.Optional(Type.Array(Type.Number())),
})

const OwnInput = Type.Object({ height: Type.Integer(), width: Type.Integer() })

/** Reads what lies beside the weights. Throws a plain Error that names the file where it describes what is not served. */
export function readBeside(folder: string): Beside {
  const known: Known = new Map()
  const config = readJson(join(folder, 'config.json'))
  let labels: string[] | undefined
  let input: Preset | undefined
  if (Value.Check(TimmConfig, config)) {
    inFile(join(folder, 'config.json'), () => {
      const refused = refusedByName(config.architecture)
      if (refused !== undefined) throw new Error(`${config.architecture} has ${refused}, which is not served`)
      input = { input: fromTimm(config), source: 'config.json (timm)' }
      labels = config.label_names?.map((name) => config.label_descriptions?.[name] ?? name)
    })
  } else if (Value.Check(TransformersConfig, config)) {
    inFile(join(folder, 'config.json'), () => readTransformers(config, known))
    labels = labelsOf(config.id2label)
  }
  const path = join(folder, 'preprocessor_config.json')
  const preprocessor = readJson(path)
  if (preprocessor !== undefined) {
    inFile(path, () => {
      input = { ...inputFromJson(preprocessor), source: 'preprocessor_config.json' }
    })
  }
  return { input, labels, known }
}

/**
 * How pictures are prepared, as a file says: transformers' preprocessor_config.json, timm's config.json, or `input` of
 * model.json itself, which is checked when the model is read.
 */
export function inputFromJson(json: unknown): Pick<Preset, 'input'> {
  if (Value.Check(TimmConfig, json)) return { input: fromTimm(json) }
  if (
    Value.Check(Preprocessor, json) &&
    ('image_processor_type' in json || 'feature_extractor_type' in json || 'size' in json)
  ) {
    return { input: fromTransformers(json) }
  }
  if (Value.Check(OwnInput, json)) return { input: json as InputJson }
  throw new Error('neither a preprocessor_config.json, nor a config.json of timm, nor `input` of a model.json')
}

function readJson(path: string): unknown {
  if (!existsSync(path)) return undefined
  return inFile(path, () => JSON.parse(readFileSync(path, 'utf8')) as unknown)
}

function readTransformers(config: Static<typeof TransformersConfig>, known: Known): void {
  const { model_type, hidden_act = 'relu', downsample_in_bottleneck, downsample_in_first_stage } = config
  if (model_type !== 'resnet') throw new Error(`model_type is ${model_type}; only resnet is served`)
  if (hidden_act !== 'relu') throw new Error(`hidden_act is ${hidden_act}; only relu is served`)
  if (downsample_in_first_stage) throw new Error('downsample_in_first_stage is not served')
  known.set('stride-on', { value: downsample_in_bottleneck ? '1x1' : '3x3', source: 'config.json' })
  known.set('stem-stride', { value: '2', source: 'transformers' })
  known.set('max-pool', { value: 'yes', source: 'transformers' })
}

/** Undefined unless there is one for each class, and one of them is more than its number. */
function labelsOf(id2label: Record<string, string> | undefined): string[] | undefined {
  if (id2label === undefined) return undefined
  const labels = Object.keys(id2label).map((_, id) => id2label[id])
  const isNamed = labels.some((label, id) => label !== `LABEL_${id}`)
  return isNamed && labels.every((label) => label !== undefined) ? (labels as string[]) : undefined
}

function fromTimm({ pretrained_cfg }: Static<typeof TimmConfig>): InputJson {
  const { input_size, mean, std, crop_pct = 0.875, crop_mode = 'center', interpolation = 'bilinear' } = pretrained_cfg
  const [channels, height, width] = input_size
  const common = {
    height,
    width,
    ...channelsOf(channels),
    ...normalisation(mean, std, channels),
    interpolation: named(interpolation),
  }
  if (crop_mode === 'squash' && crop_pct === 1) return { ...common, resize: [height, width] }
  if (crop_mode !== 'center') throw new Error(`crop_mode is ${crop_mode}; only center is served`)
  if (height !== width) {
    if (crop_pct !== 1)
      throw new Error('an input that is not square is served without a crop alone: crop_pct must be 1')
    return { ...common, resize: [height, width] }
  }
  return { ...common, resize: Math.floor(height / crop_pct), crop: 'center' }
}

/** What ConvNextImageProcessor, which transformers' ResNets have, and the processors that resize and crop do. */
function fromTransformers(config: Static<typeof Preprocessor>): InputJson {
  const { size = { shortest_edge: 384 }, crop_size, crop_pct, resample = 3, image_mean, image_std } = config
  for (const flag of ['do_resize', 'do_rescale'] as const) {
    if (config[flag] === false) throw new Error(`${flag} is false; say by --preprocessing how pictures are prepared`)
  }
  const { mean, std } =
    config.do_normalize === false ? { mean: [0, 0, 0], std: [1, 1, 1] } : { mean: image_mean, std: image_std }
  const common = {
    channels: 'rgb' as const,
    // ConvNextImageProcessor's own, as its size above.
    mean: mean ?? [0.5, 0.5, 0.5],
    std: std ?? [0.5, 0.5, 0.5],
    interpolation: byNumber(resample),
  }
  const crop = 'center-floor'
  const type = config.image_processor_type ?? config.feature_extractor_type ?? 'ConvNext'
  if (type.startsWith('ConvNext')) {
    const edge = shortestEdge(size)
    // From 384 on it does not crop.
    if (edge >= 384) return { ...common, height: edge, width: edge, resize: [edge, edge] }
    return { ...common, height: edge, width: edge, resize: Math.trunc(edge / (crop_pct ?? 224 / 256)), crop }
  }
  if (typeof size === 'object' && 'height' in size && config.do_center_crop !== true) {
    return { ...common, ...size, resize: [size.height, size.width] }
  }
  if (config.do_center_crop === true && crop_size !== undefined) {
    const cropped = typeof crop_size === 'object' && 'height' in crop_size ? crop_size : square(shortestEdge(crop_size))
    return { ...common, ...cropped, resize: shortestEdge(size), crop }
  }
  throw new Error(`${type} is not known; say by --preprocessing how pictures are prepared`)
}

function shortestEdge(size: Static<typeof Size>): number {
  if (typeof size === 'number') return size
  if ('shortest_edge' in size) return size.shortest_edge
  if (size.height === size.width) return size.height
  throw new Error('height and width differ where one number is needed')
}

function square(edge: number): { height: number; width: number } {
  return { height: edge, width: edge }
}

function channelsOf(count: number): { channels: 'grey' | 'rgb' } {
  if (count !== 1 && count !== 3) throw new Error(`pictures of ${count} channels are not served`)
  return { channels: count === 1 ? 'grey' : 'rgb' }
}

/** One number where there is one channel. timm's files keep three for a model that was changed to one. */
function normalisation(mean: number[], std: number[], channels: number): Pick<InputJson, 'mean' | 'std'> {
  if (channels === 3) return { mean, std }
  const average = (values: number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length
  return { mean: average(mean), std: average(std) }
}

type Interpolation = NonNullable<InputJson['interpolation']>

function named(interpolation: string): Interpolation {
  if (interpolation === 'bilinear' || interpolation === 'bicubic' || interpolation === 'nearest') return interpolation
  throw new Error(`interpolation is ${interpolation}; bilinear, bicubic and nearest are served`)
}

/** Pillow's numbers (PIL.Image.Resampling). */
function byNumber(resample: number): Interpolation {
  const names: Record<number, Interpolation> = { 0: 'nearest', 2: 'bilinear', 3: 'bicubic' }
  const name = names[resample]
  if (name === undefined)
    throw new Error(`resample is ${resample}; 0 (nearest), 2 (bilinear) and 3 (bicubic) are served`)
  return name
}

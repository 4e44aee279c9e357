import { type Static, Type } from 'typebox'
import type { InputJson, PhotographSpec } from '../repository/input-spec.ts'
import type { Preset } from './input-presets.ts'
import { refusedByName } from './not-plain.ts'

/** timm's config.json. Loose where we read nothing: the file has many more fields. */
export const TimmConfig = Type.Object({
  architecture: Type.String(),
  label_names: Type.Optional(Type.Array(Type.String())),
  label_descriptions: Type.Optional(Type.Record(Type.String(), Type.String())),
  pretrained_cfg: Type.Object({
    mean: Type.Array(Type.Number()),
    std: Type.Array(Type.Number()),
    input_size: Type.Tuple([Type.Integer(), Type.Integer(), Type.Integer()]),
    crop_pct: Type.Optional(Type.Number({ exclusiveMinimum: 0, maximum: 1 })),
    crop_mode: Type.Optional(Type.String()),
    interpolation: Type.Optional(Type.String()),
  }),
})

/** What config.json says. Throws a plain Error where it describes what is not served. */
export function readTimmConfig(config: Static<typeof TimmConfig>): { input: Preset; labels: string[] | undefined } {
  const refused = refusedByName(config.architecture)
  if (refused !== undefined) throw new Error(`${config.architecture} has ${refused}, which is not served`)
  return {
    input: { input: timmInput(config), source: 'config.json (timm)' },
    labels: config.label_names?.map((name) => config.label_descriptions?.[name] ?? name),
  }
}

/** How pictures are prepared; the model may be any. Throws a plain Error where that is not served. */
export function timmInput({ pretrained_cfg }: Static<typeof TimmConfig>): InputJson {
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

function named(interpolation: string): PhotographSpec['interpolation'] {
  if (interpolation === 'bilinear' || interpolation === 'bicubic' || interpolation === 'nearest') return interpolation
  throw new Error(`interpolation is ${interpolation}; bilinear, bicubic and nearest are served`)
}

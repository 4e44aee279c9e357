import { type Static, Type } from 'typebox'
import type { InputJson, PhotographSpec } from '../repository/input-spec.ts'

const Size = Type.Union([
  Type.Integer(),
  Type.Object({ shortest_edge: Type.Integer() }),
  Type.Object({ height: Type.Integer(), width: Type.Integer() }),
])

/** transformers' preprocessor_config.json. Loose where we read nothing: the file has many more fields. */
export const Preprocessor = Type.Object({
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

/**
 * What ConvNextImageProcessor, which transformers' ResNets have, and the processors that resize and crop do. Throws a
 * plain Error where it is not served.
 */
export function transformersInput(config: Static<typeof Preprocessor>): InputJson {
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
  const isPlain = typeof size === 'object' && 'height' in size
  // ConvNextImageProcessor takes no height and width: a file without a type that has them is another's.
  const type =
    config.image_processor_type ??
    config.feature_extractor_type ??
    (isPlain ? 'a processor without a type' : 'ConvNext')
  if (type.startsWith('ConvNext')) {
    const edge = shortestEdge(size)
    // From 384 on it does not crop.
    if (edge >= 384) return { ...common, height: edge, width: edge, resize: [edge, edge] }
    return { ...common, height: edge, width: edge, resize: Math.trunc(edge / (crop_pct ?? 224 / 256)), crop }
  }
  if (isPlain && config.do_center_crop !== true) {
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

/** Pillow's numbers (PIL.Image.Resampling). */
function byNumber(resample: number): PhotographSpec['interpolation'] {
  const names: Record<number, PhotographSpec['interpolation']> = { 0: 'nearest', 2: 'bilinear', 3: 'bicubic' }
  const name = names[resample]
  if (name === undefined)
    throw new Error(`resample is ${resample}; 0 (nearest), 2 (bilinear) and 3 (bicubic) are served`)
  return name
}

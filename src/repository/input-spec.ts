import { type Static, Type } from 'typebox'

const side = Type.Integer({ minimum: 1, maximum: 4096 })
const deviation = Type.Number({ exclusiveMinimum: 0 })

/** `input` in model.json: how a picture becomes the model's input. docs/model.md says what each field does. */
export const InputSchema = Type.Object(
  {
    height: side,
    width: side,
    channels: Type.Optional(Type.Enum(['grey', 'rgb', 'bgr'])),
    mean: Type.Union([Type.Number(), Type.Array(Type.Number())], { description: 'a number, or one per channel' }),
    std: Type.Union([deviation, Type.Array(deviation)], { description: 'a number above 0, or one per channel' }),
    fit: Type.Optional(Type.Enum(['fill', 'contain', 'cover', 'ink'])),
    invert: Type.Optional(Type.Enum(['never', 'auto'])),
    ink_size: Type.Optional(side),
    resize: Type.Optional(
      Type.Union([side, Type.Tuple([side, side])], {
        description: 'the shortest edge, or [height, width], whole numbers from 1 to 4096',
      }),
    ),
    interpolation: Type.Optional(Type.Enum(['bilinear', 'bicubic', 'nearest'])),
    crop: Type.Optional(Type.Enum(['center', 'center-floor'])),
    orientation: Type.Optional(Type.Enum(['exif', 'ignore'])),
    alpha: Type.Optional(Type.Enum(['drop', 'white', 'black'])),
  },
  { additionalProperties: false },
)

export type InputJson = Static<typeof InputSchema>

/** Fields that make a picture a drawing's or a photograph's, and do not go together. */
const DRAWING_FIELDS = ['fit', 'invert', 'ink_size'] as const
const PHOTOGRAPH_FIELDS = ['resize', 'interpolation', 'crop', 'orientation', 'alpha'] as const

interface CommonSpec {
  height: number
  width: number
  channels: 'grey' | 'rgb' | 'bgr'
  /** One per channel, in the order of the model's channels. The model sees (value / 255 - mean) / std. */
  mean: number[]
  /** As many as `mean`. */
  std: number[]
}

/** Strokes on a ground, such as digits: the server finds them, whatever picture they are in. */
export interface DrawingSpec extends CommonSpec {
  channels: 'grey'
  /** How a picture of another size becomes height x width. */
  fit: 'fill' | 'contain' | 'cover' | 'ink'
  /** `auto` inverts pictures with a light ground: the model was trained on light ink on a dark one. */
  invert: 'never' | 'auto'
  /** With `fit: ink`: the longer side of the scaled ink, in pixels. */
  inkSize: number
}

/** What torchvision's transforms do with a picture that Pillow opened: resize, then crop to height x width. */
export interface PhotographSpec extends CommonSpec {
  /** The shortest edge, or height and width. */
  resize: number | [height: number, width: number]
  interpolation: 'bilinear' | 'bicubic' | 'nearest'
  /**
   * Where the crop would begin at half a pixel, `center` takes the even neighbour, as torchvision and timm do, and
   * `center-floor` the one before, as transformers does. Absent where `resize` is height and width already.
   */
  crop?: 'center' | 'center-floor'
  orientation: 'exif' | 'ignore'
  /** What transparent pixels become: their hidden colours, or the ground that shows through. */
  alpha: 'drop' | 'white' | 'black'
}

export type InputSpec = DrawingSpec | PhotographSpec

/** The shape of one input: channels, height, width. */
export type InputShape = Pick<InputSpec, 'channels' | 'height' | 'width'>

export function isDrawing(spec: InputSpec): spec is DrawingSpec {
  return 'fit' in spec
}

export function channelCount({ channels }: Pick<InputSpec, 'channels'>): 1 | 3 {
  return channels === 'grey' ? 1 : 3
}

/** Values of one input. */
export function inputLength(shape: InputShape): number {
  return channelCount(shape) * shape.height * shape.width
}

/** Fills in the defaults. Throws a plain Error for the author of model.json. */
export function parseInput(json: InputJson): InputSpec {
  if (json.fit === undefined && json.resize === undefined) {
    throw new Error('input: give fit, for drawings, or resize, for photographs')
  }
  const [own, foreign] =
    json.fit === undefined ? (['resize', DRAWING_FIELDS] as const) : (['fit', PHOTOGRAPH_FIELDS] as const)
  const odd = foreign.find((field) => json[field] !== undefined)
  if (odd !== undefined) throw new Error(`input.${odd}: does not go with ${own}`)
  return json.fit === undefined ? parsePhotograph(json) : parseDrawing(json)
}

function parseDrawing(json: InputJson): DrawingSpec {
  const { height, width, channels = 'grey', fit, invert, ink_size } = json
  if (channels !== 'grey') throw new Error(`input.channels: with fit the model sees grey, not ${channels}`)
  if (invert === undefined) throw new Error('input.invert: with fit, give auto or never')
  const shorter = Math.min(height, width)
  // MNIST's proportion: 20 pixels of ink in a picture of 28.
  const inkSize = ink_size ?? Math.max(1, Math.round((shorter * 20) / 28))
  if (inkSize > shorter) throw new Error('input.ink_size: larger than the input')
  return { height, width, channels, ...normalisation(json), fit: fit as DrawingSpec['fit'], invert, inkSize }
}

function parsePhotograph(json: InputJson): PhotographSpec {
  const { height, width, channels = 'grey', interpolation = 'bilinear', orientation = 'ignore', alpha = 'drop' } = json
  const { crop } = json
  const resize = json.resize as PhotographSpec['resize']
  if (crop === undefined && typeof resize === 'number') {
    throw new Error('input.crop: resize is the shortest edge; only "crop": "center" makes height x width of it')
  }
  if (crop === undefined && String(resize) !== String([height, width])) {
    throw new Error(`input.resize: without crop it must be [${height}, ${width}], which are height and width`)
  }
  const how = { resize, interpolation, orientation, alpha, ...(crop === undefined ? {} : { crop }) }
  return { height, width, channels, ...normalisation(json), ...how }
}

function normalisation({ channels = 'grey', mean, std }: InputJson): Pick<InputSpec, 'mean' | 'std'> {
  const count = channelCount({ channels })
  const perChannel = (field: string, value: number | number[]): number[] => {
    const values = typeof value === 'number' ? Array<number>(count).fill(value) : value
    if (values.length === count) return values
    throw new Error(
      `input.${field}: ${values.length} numbers, but ${channels} has ${count} channel${count > 1 ? 's' : ''}`,
    )
  }
  return { mean: perChannel('mean', mean), std: perChannel('std', std) }
}

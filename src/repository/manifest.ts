import { type Static, Type } from 'typebox'
import { Value } from 'typebox/value'
import { type Architecture, ArchitectureSchema, parseArchitecture } from '../resnet/architecture.ts'
import { embeddingSpace } from './embedding-space.ts'
import { QuantizationSchema } from './quantization.ts'

/** Model and version names. They are looked up in a map, never joined to a path. */
export const NAME_PATTERN = '^[A-Za-z0-9._-]{1,64}$'

const InputSchema = Type.Object(
  {
    height: Type.Integer({ minimum: 1, maximum: 4096 }),
    width: Type.Integer({ minimum: 1, maximum: 4096 }),
    channels: Type.Optional(Type.Enum(['grey', 'rgb', 'bgr'])),
    /** The model sees (grey / 255 - mean) / std. */
    mean: Type.Number(),
    std: Type.Number({ exclusiveMinimum: 0 }),
    /** `auto` inverts pictures with a light background: the model was trained on light ink on a dark one. */
    invert: Type.Optional(Type.Enum(['never', 'auto'])),
    /** How a picture of another size becomes height x width; see docs/model.md. */
    fit: Type.Optional(Type.Enum(['fill', 'contain', 'cover', 'ink'])),
    resize: Type.Optional(Type.Union([Type.Integer(), Type.Tuple([Type.Integer(), Type.Integer()])])),
    /** With `fit: ink`: the longer side of the scaled ink, in pixels. */
    ink_size: Type.Optional(Type.Integer({ minimum: 1, maximum: 4096 })),
  },
  { additionalProperties: false },
)

/** The sha256 of a file beside model.json, lower-case hexadecimal. Checked at load. */
const HashSchema = Type.Object({ sha256: Type.String({ pattern: '^[0-9a-f]{64}$' }) }, { additionalProperties: false })

const ManifestSchema = Type.Object(
  {
    name: Type.String({ pattern: NAME_PATTERN }),
    version: Type.String({ pattern: NAME_PATTERN }),
    description: Type.Optional(Type.String()),
    architecture: ArchitectureSchema,
    input: InputSchema,
    labels: Type.Optional(Type.Array(Type.String())),
    /** What makes probabilities of logits: of classes that exclude each other, of each class alone, or nothing. */
    activation: Type.Optional(Type.Union([Type.Literal('softmax'), Type.Literal('sigmoid'), Type.Literal('none')])),
    max_batch_size: Type.Optional(Type.Integer({ minimum: 1 })),
    /** Of weights.safetensors. */
    weights: HashSchema,
    /** Of reference.safetensors. */
    reference: Type.Optional(HashSchema),
    quantization: Type.Optional(QuantizationSchema),
    provenance: Type.Optional(Type.Unknown()),
    metrics: Type.Optional(Type.Unknown()),
  },
  { additionalProperties: false },
)

type InputJson = Static<typeof InputSchema>

export interface InputSpec extends Omit<InputJson, 'invert' | 'fit' | 'resize' | 'ink_size'> {
  invert: 'never' | 'auto'
  fit: 'fill' | 'contain' | 'cover' | 'ink'
  inkSize: number
}

type ManifestJson = Static<typeof ManifestSchema>

/** model.json, checked and with its defaults filled in. `quantization` is absent if the model is not calibrated for int8. */
export interface Manifest
  extends Omit<ManifestJson, 'architecture' | 'input' | 'labels' | 'activation' | 'max_batch_size' | 'weights'> {
  architecture: Architecture
  input: InputSpec
  /** One per class, in the order of the logits. */
  labels: string[]
  activation: 'softmax' | 'sigmoid' | 'none'
  /** Most inputs in one batch, whatever the server allows; infinite unless given. */
  maxBatchSize: number
  weightsSha256: string
  /** See `embeddingSpace`. */
  embeddingSpace: string
}

/** Throws a plain Error that tells the author of the file what is wrong. */
export function parseManifest(text: string): Manifest {
  let json: unknown
  try {
    // Editors on Windows begin a file with a byte order mark.
    json = JSON.parse(text.replace(/^\uFEFF/, ''))
  } catch (error) {
    throw new Error(`not JSON: ${(error as Error).message}`)
  }
  if (!Value.Check(ManifestSchema, json)) throw new Error(describe(json))
  const { weights, max_batch_size, ...rest } = json
  const architecture = parseArchitecture(json.architecture)
  const channels = (json.input.channels ?? 'grey') === 'grey' ? 1 : 3
  if (architecture.inChannels !== channels) {
    throw new Error(`architecture.in_channels: ${architecture.inChannels}, but input.channels makes ${channels}`)
  }
  const labels = json.labels ?? Array.from({ length: architecture.numClasses }, (_, id) => String(id))
  if (labels.length !== architecture.numClasses) {
    throw new Error(`labels: ${labels.length} for ${architecture.numClasses} classes`)
  }
  const input = parseInput(json.input)
  const weightsSha256 = weights.sha256
  return {
    ...rest,
    architecture,
    input,
    labels,
    activation: json.activation ?? 'softmax',
    maxBatchSize: max_batch_size ?? Number.POSITIVE_INFINITY,
    weightsSha256,
    embeddingSpace: embeddingSpace({ architecture, input, weightsSha256 }),
  }
}

function parseInput({ resize, ink_size, invert = 'never', fit = 'fill', ...input }: InputJson): InputSpec {
  const shorter = Math.min(input.height, input.width)
  // MNIST's proportion: 20 pixels of ink in a picture of 28.
  const inkSize = ink_size ?? Math.max(1, Math.round((shorter * 20) / 28))
  if (inkSize > shorter) throw new Error('input.ink_size: larger than the input')
  return { ...input, invert, fit, inkSize }
}

function describe(json: unknown): string {
  const [first] = Value.Errors(ManifestSchema, json)
  if (first === undefined) return 'malformed'
  const field = first.instancePath.slice(1).replaceAll('/', '.')
  // For an unknown field, typebox says "schema is false".
  const message = first.keyword === 'boolean' ? 'there is no such field' : first.message
  return field === '' ? message : `${field}: ${message}`
}

import { type Static, Type } from 'typebox'
import { Value } from 'typebox/value'
import { type Architecture, ArchitectureSchema, parseArchitecture } from '../resnet/architecture.ts'
import { embeddingSpace } from './embedding-space.ts'
import { channelCount, InputSchema, type InputSpec, parseInput } from './input-spec.ts'
import { QuantizationSchema } from './quantization.ts'

/** Model and version names. They are looked up in a map, never joined to a path. */
export const NAME_PATTERN = '^[A-Za-z0-9._-]{1,64}$'

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
  const input = parseInput(json.input)
  if (architecture.inChannels !== channelCount(input)) {
    const read = `pictures are read as ${input.channels}, which is ${channelCount(input)}`
    throw new Error(`architecture.in_channels: the model has ${architecture.inChannels}; ${read} (input.channels)`)
  }
  const labels = json.labels ?? Array.from({ length: architecture.numClasses }, (_, id) => String(id))
  if (labels.length !== architecture.numClasses) {
    throw new Error(`labels: ${labels.length} for ${architecture.numClasses} classes`)
  }
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

function describe(json: unknown): string {
  const errors = [...Value.Errors(ManifestSchema, json)]
  const [first] = errors
  if (first === undefined) return 'malformed'
  const field = first.instancePath.slice(1).replaceAll('/', '.')
  const message = messageOf(first, errors)
  return field === '' ? message : `${field}: ${message}`
}

type SchemaError = ReturnType<typeof Value.Errors>[number]

/** typebox says "schema is false" for an unknown field, and of alternatives only why the first does not match. */
function messageOf(first: SchemaError, errors: SchemaError[]): string {
  if (first.keyword === 'boolean') return 'there is no such field'
  if (first.keyword === 'enum') return `must be one of ${first.params.allowedValues.join(', ')}`
  const alternatives = errors.find(({ keyword, schemaPath }) => {
    return keyword === 'anyOf' && first.schemaPath.startsWith(`${schemaPath}/anyOf/`)
  })
  const schema = alternatives && Value.Pointer.Get(ManifestSchema, alternatives.schemaPath.slice(1))
  const { description } = (schema ?? {}) as { description?: string }
  return description === undefined ? first.message : `must be ${description}`
}

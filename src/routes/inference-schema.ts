import { type TSchema, Type } from 'typebox'
import { JsonBodySchema } from './inputs/json.ts'
import { IMAGE_TYPES } from './inputs/read-inputs.ts'
import { PriorityHeader } from './priority.ts'
import { problem } from './problem-schema.ts'
import { QuerySchema } from './query.ts'

export const binary = (description: string): { schema: TSchema } => ({
  schema: Type.Unsafe<unknown>({ type: 'string', format: 'binary', description }),
})

const FormSchema = Type.Unsafe<unknown>({
  type: 'object',
  description:
    'Each part with a filename, an image type or an image’s first bytes is one image, whatever its field is called.',
  properties: { file: { type: 'array', items: { type: 'string', format: 'binary' } } },
})

/**
 * Bodies that the handler gets as bytes or reads itself. They are for the API's description: the validator, which would
 * compare bytes with a string, does not see them.
 */
export const BYTES_BODIES = {
  'application/octet-stream': binary('Float32 little-endian, N x C x H x W, normalised.'),
  'multipart/form-data': { schema: FormSchema },
  ...Object.fromEntries(IMAGE_TYPES.map((type) => [type, binary('One image.')])),
}

const numbers = Type.Array(Type.Number())
const scored = {
  label: Type.String(),
  class_id: Type.Integer(),
  probability: Type.Number({
    description:
      'By the model’s `activation` (see /info): softmax over all classes, the sigmoid of each class alone, or, with `none`, the logit itself.',
  }),
}
const itemError = Type.Object({ code: Type.String(), detail: Type.String() })

const Answer = Type.Object({
  model: Type.Object({ name: Type.String(), version: Type.String() }),
  dimensions: Type.Optional(Type.Integer({ description: '/embed: length of an embedding.' })),
  results: Type.Array(
    Type.Object({
      label: Type.Optional(scored.label),
      class_id: Type.Optional(scored.class_id),
      probability: Type.Optional(scored.probability),
      top: Type.Optional(Type.Array(Type.Object(scored), { description: 'In descending order.' })),
      logits: Type.Optional(
        Type.Array(Type.Number(), { description: 'A model without a classifier (`num_classes` 0) has none.' }),
      ),
      embedding: Type.Optional(Type.Union([numbers, Type.String()])),
      input: Type.Optional(
        Type.Array(Type.Array(numbers), {
          description:
            '`include=input`: what the model saw, `[C][H][W]`, normalised. Sent back as a `tensor`, it has the same answer.',
        }),
      ),
      error: Type.Optional(itemError),
    }),
  ),
})

const EmbeddingSpace = Type.String({
  pattern: '^[0-9a-f]{16}$',
  description: 'Names the vector space of the embeddings. Embeddings of two spaces cannot be compared.',
})

const EmbeddingDimensions = Type.String({ pattern: '^[0-9]+$', description: 'Length of a row of raw float32.' })

/** What /classify and /embed share: what is validated of their inputs, one query, one header, the same failures. */
export function inferenceSchema(
  operationId: string,
  summary: string,
  { description, extraAnswers = [] }: { description: string; extraAnswers?: string[] },
) {
  const answers = extraAnswers.map((type) => [type, binary('Raw float32, little-endian, one row per input.')] as const)
  return {
    operationId,
    summary,
    description,
    tags: ['inference'],
    headers: PriorityHeader,
    querystring: QuerySchema,
    body: { content: { 'application/json': { schema: JsonBodySchema } } },
    // Typed as unknown: handlers answer with JSON or bytes, and the serializer takes either.
    response: {
      200: {
        description: 'Results in the order of the inputs.',
        headers: {
          'X-Embedding-Space': EmbeddingSpace,
          ...(answers.length > 0 && { 'X-Embedding-Dimensions': EmbeddingDimensions }),
        },
        content: { 'application/json': { schema: Answer }, ...Object.fromEntries(answers) },
      },
      '4xx': problem('The request is wrong.'),
      '5xx': problem('The server cannot answer now.'),
    } as Record<string, unknown>,
  }
}

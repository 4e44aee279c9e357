import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { ServeError } from '../../errors.ts'
import { patience } from '../client-signal.ts'
import { infer } from '../infer.ts'
import { EXAMPLE_PNG, parseJson } from '../inputs/json.ts'
import { bytesOf, embeddingOf, results } from '../results.ts'
import { setServerTiming } from '../server-timing.ts'
import type { Services } from '../services.ts'
import { ERRORS } from './error.ts'
import { InputSchema, MessagesSchema, readPictures } from './inputs.ts'
import { findModel } from './models.ts'

const BodySchema = Type.Object(
  {
    model: Type.Optional(Type.String({ description: '`name` or `name:version`; without it, the default model.' })),
    input: Type.Optional(InputSchema),
    messages: Type.Optional(MessagesSchema),
    encoding_format: Type.Optional(
      Type.Enum(['float', 'base64'], { description: 'Numbers, or base64 of little-endian float32.' }),
    ),
    dimensions: Type.Optional(Type.Integer({ description: 'The length that the model’s embeddings have, or 400.' })),
    normalize: Type.Optional(
      Type.Boolean({ description: 'Scale embeddings to length 1 (L2). OpenAI has no such field.' }),
    ),
    modality: Type.Optional(Type.Enum(['image'], { description: 'As Infinity has it.' })),
    user: Type.Optional(Type.String({ description: 'Changes nothing.' })),
  },
  { additionalProperties: false, examples: [{ input: `data:image/png;base64,${EXAMPLE_PNG}` }] },
)

const AnswerSchema = Type.Object({
  object: Type.Literal('list'),
  data: Type.Array(
    Type.Object({
      object: Type.Literal('embedding'),
      index: Type.Integer(),
      embedding: Type.Union([Type.Array(Type.Number()), Type.String()]),
    }),
  ),
  model: Type.String({ description: 'What answered: `name:version`.' }),
  usage: Type.Object({ prompt_tokens: Type.Integer(), total_tokens: Type.Integer() }),
})

const SCHEMA = {
  operationId: 'createEmbedding',
  summary: 'Embed pictures, as OpenAI’s clients ask for it',
  description: 'Takes the pictures as `input`, or as vLLM does in `messages`. Text is not embedded.',
  tags: ['openai'],
  // `?normalize=true` would be passed over in silence.
  querystring: Type.Object({}, { additionalProperties: false }),
  body: BodySchema,
  // Typed as unknown: the serializer takes a Float32Array for numbers.
  response: { 200: AnswerSchema, ...ERRORS } as Record<string, unknown>,
}

/** `POST /v1/embeddings`. */
export function embeddings(services: Services): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.removeAllContentTypeParsers()
    app.addContentTypeParser('application/json', { parseAs: 'buffer' }, async (_request: unknown, body: Buffer) =>
      parseJson(body, services.limits),
    )
    app.addContentTypeParser('*', (_request, _payload, done) => {
      done(new ServeError('unsupported_media_type', 'send the body as application/json'))
    })
    app.post('/v1/embeddings', { schema: SCHEMA }, async (request, reply) => {
      const { model: id, dimensions, encoding_format, normalize = false } = request.body
      const model = findModel(services.models, id)
      const { name, version, architecture, embeddingSpace } = model.manifest
      if (dimensions !== undefined && dimensions !== architecture.embeddingSize) {
        throw new ServeError('invalid_parameter', `dimensions: model ${name} has ${architecture.embeddingSize}`)
      }
      const inputs = readPictures(request.body, services.limits)
      const inference = await infer(services, { model, inputs, ...patience(request, reply) })
      const vectors = results(inference.predictions, (prediction) => {
        const embedding = embeddingOf(prediction, { normalize })
        return encoding_format === 'base64' ? bytesOf(embedding).toString('base64') : embedding
      })
      setServerTiming(request, reply, services, inference)
      reply.header('x-embedding-space', embeddingSpace)
      return {
        object: 'list',
        data: vectors.map((embedding, index) => ({ object: 'embedding', index, embedding })),
        model: `${name}:${version}`,
        usage: { prompt_tokens: 0, total_tokens: 0 },
      }
    })
  }
}

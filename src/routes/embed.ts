import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { FastifyRequest } from 'fastify'
import { ServeError } from '../errors.ts'
import { patience } from './client-signal.ts'
import { infer } from './infer.ts'
import { inferenceSchema } from './inference-schema.ts'
import { readInputs } from './inputs/read-inputs.ts'
import { parseQuery } from './query.ts'
import { bytesOf, embeddingOf, partsOf, results } from './results.ts'
import { assertInputsFit } from './seen-input.ts'
import { setServerTiming } from './server-timing.ts'
import type { Services } from './services.ts'

const BINARY = 'application/octet-stream'

const SCHEMA = inferenceSchema('embed', 'Embed pictures', {
  description:
    'The embedding of each input, and its logits. A model without a classifier has no logits; to ask for them is 400.',
  extraAnswers: [BINARY],
})

/** The common forms of Accept need no parsing, which takes 10 us. */
function prefersBinary(request: FastifyRequest): boolean {
  const { accept } = request.headers
  if (accept === undefined || accept === '*/*' || accept === 'application/json') return false
  return accept === BINARY || request.accepts().type(['application/json', BINARY]) === BINARY
}

/** `POST /embed`: the embedding of each input, as JSON or, for `Accept: application/octet-stream`, as raw float32. */
export function embed(services: Services): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.post('/embed', { schema: SCHEMA }, async (request, reply) => {
      const model = services.models.get(request.query.model, request.query.version)
      const { name, version, architecture, embeddingSpace } = model.manifest
      const hasClassifier = architecture.numClasses > 0
      const query = parseQuery(request.query, hasClassifier ? ['logits', 'embedding'] : ['embedding'])
      if (!hasClassifier && (query.include.has('logits') || query.include.has('top'))) {
        throw new ServeError('invalid_parameter', `include: model ${name} has no classifier, so no logits and no top`)
      }
      const binary = prefersBinary(request)
      if (binary && query.partial) {
        throw new ServeError('invalid_parameter', 'a binary answer has no place for errors: leave partial out')
      }
      const inputs = await readInputs(request, model.manifest.input, services.limits)
      assertInputsFit(query, inputs.length, model.manifest.input, services.limits)
      const { partial } = query
      const keepInputs = query.include.has('input')
      const inference = await infer(services, { model, inputs, partial, keepInputs, ...patience(request, reply) })
      const { predictions } = inference
      const body = binary
        ? Buffer.concat(results(predictions, (prediction) => bytesOf(embeddingOf(prediction, query))) as Buffer[])
        : {
            model: { name, version },
            dimensions: architecture.embeddingSize,
            results: results(predictions, (prediction, i) => partsOf(prediction, model, query, inference.inputs[i])),
          }
      setServerTiming(request, reply, services, inference)
      reply.header('x-embedding-space', embeddingSpace)
      // Bytes alone do not tell one long embedding from two.
      if (binary) reply.type(BINARY).header('x-embedding-dimensions', architecture.embeddingSize)
      return body
    })
  }
}

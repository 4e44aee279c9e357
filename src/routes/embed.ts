import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { ServeError } from '../errors.ts'
import { infer } from './infer.ts'
import { inferenceSchema } from './inference-schema.ts'
import { parseQuery } from './query.ts'
import { bytesOf, embeddingOf, partsOf, results } from './results.ts'
import { setServerTiming } from './server-timing.ts'
import type { Services } from './services.ts'

const BINARY = 'application/octet-stream'

/** `POST /embed`: the embedding of each input, as JSON or, for `Accept: application/octet-stream`, as raw float32. */
export function embed(services: Services): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.post('/embed', { schema: inferenceSchema('embed', 'Embed pictures', [BINARY]) }, async (request, reply) => {
      const query = parseQuery(request.query, ['logits', 'embedding'])
      const binary = request.accepts().type(['application/json', BINARY]) === BINARY
      if (binary && query.partial) {
        throw new ServeError('invalid_parameter', 'a binary answer has no place for errors: leave partial out')
      }
      const inference = await infer(request, reply, services, query)
      const { model, predictions } = inference
      const { name, version, architecture } = model.manifest
      const body = binary
        ? Buffer.concat(results(predictions, (prediction) => bytesOf(embeddingOf(prediction, query))) as Buffer[])
        : {
            model: { name, version },
            dimensions: architecture.embeddingSize,
            results: results(predictions, (prediction) => partsOf(prediction, model, query)),
          }
      setServerTiming(request, reply, services, inference)
      if (binary) reply.type(BINARY)
      return body
    })
  }
}

import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { ServeError } from '../errors.ts'
import { patience } from './client-signal.ts'
import { infer } from './infer.ts'
import { inferenceSchema } from './inference-schema.ts'
import { readInputs } from './inputs/read-inputs.ts'
import { parseQuery } from './query.ts'
import { partsOf, results, topClasses } from './results.ts'
import { assertInputsFit } from './seen-input.ts'
import { setServerTiming } from './server-timing.ts'
import type { Services } from './services.ts'

const SCHEMA = inferenceSchema('classify', 'Classify pictures', {
  description: 'The likeliest class of each input. A model without a classifier answers 404 `no_classifier`.',
})

/** `POST /classify`: the likeliest class of each input, and what `include` asks for. */
export function classify(services: Services): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.post('/classify', { schema: SCHEMA }, async (request, reply) => {
      const model = services.models.get(request.query.model, request.query.version)
      const { name, version, architecture, embeddingSpace } = model.manifest
      if (architecture.numClasses === 0) {
        throw new ServeError('no_classifier', `model ${name} has no classifier: POST /embed`)
      }
      const query = parseQuery(request.query, ['top', 'logits', 'embedding'])
      const inputs = await readInputs(request, model.manifest.input, services.limits)
      assertInputsFit(query, inputs.length, model.manifest.input, services.limits)
      const { partial } = query
      const keepInputs = query.include.has('input')
      const inference = await infer(services, { model, inputs, partial, keepInputs, ...patience(request, reply) })
      const body = {
        model: { name, version },
        results: results(inference.predictions, (prediction, i) => {
          const parts = partsOf(prediction, model, query, inference.inputs[i])
          const [likeliest] = parts.top ?? topClasses(prediction.logits, model.manifest, 1)
          return { ...likeliest, ...parts }
        }),
      }
      setServerTiming(request, reply, services, inference)
      reply.header('x-embedding-space', embeddingSpace)
      return body
    })
  }
}

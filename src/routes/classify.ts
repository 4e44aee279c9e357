import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { infer } from './infer.ts'
import { inferenceSchema } from './inference-schema.ts'
import { parseQuery } from './query.ts'
import { partsOf, results, topClasses } from './results.ts'
import { setServerTiming } from './server-timing.ts'
import type { Services } from './services.ts'

/** `POST /classify`: the likeliest class of each input, and what `include` asks for. */
export function classify(services: Services): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.post('/classify', { schema: inferenceSchema('classify', 'Classify pictures') }, async (request, reply) => {
      const query = parseQuery(request.query, ['top', 'logits', 'embedding'])
      const inference = await infer(request, reply, services, query)
      const { model, predictions } = inference
      const { name, version, labels } = model.manifest
      const body = {
        model: { name, version },
        results: results(predictions, (prediction) => {
          const parts = partsOf(prediction, model, query)
          const [likeliest] = parts.top ?? topClasses(prediction.logits, labels, 1)
          return { ...likeliest, ...parts }
        }),
      }
      setServerTiming(request, reply, services, inference)
      return body
    })
  }
}

import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { Services } from './services.ts'

/** `GET /metrics`: Prometheus text. */
export function metrics(services: Services): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.get('/metrics', { schema: { summary: 'Prometheus metrics', tags: ['health'] } }, async (_request, reply) => {
      const { contentType, text } = await services.metrics()
      return reply.type(contentType).send(text)
    })
  }
}

import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import type { FastifyInstance, FastifySchema } from 'fastify'
import fp from 'fastify-plugin'
import { ServeError } from '../../errors.ts'
import { BYTES_BODIES } from '../../routes/inference-schema.ts'
import { version } from '../../routes/info.ts'
import { sendError } from '../problem.ts'

/** `/openapi.json` from the routes' schemas, and `/docs` to read and try it. Register before the routes. */
export const openapi = fp(async (app: FastifyInstance) => {
  await app.register(swagger, {
    transform: ({ schema, url }) => ({ schema: withBytesBodies(schema), url }),
    openapi: {
      openapi: '3.1.0',
      info: { title: 'resnet-serve', version, description: 'Class logits and embeddings of pictures.' },
      tags: [
        { name: 'inference', description: 'Pictures in, logits and embeddings out' },
        { name: 'open inference protocol', description: 'For the clients of Triton and KServe' },
        { name: 'health', description: 'For balancers and monitoring' },
        { name: 'info', description: 'What is served' },
      ],
      components: { securitySchemes: { bearer: { type: 'http', scheme: 'bearer' } } },
    },
  })
  await app.register(async (docs) => {
    // Paths that leave the folder or are no valid file name.
    docs.setErrorHandler((error, request, reply) =>
      sendError(new ServeError('not_found', 'there is no such file', { cause: error }), request, reply),
    )
    await docs.register(swaggerUi, { routePrefix: '/docs' })
  })
  let description: string | undefined
  app.get('/openapi.json', { schema: { hide: true } }, (_request, reply) => {
    // Written once: it takes a millisecond each time.
    description ??= JSON.stringify(app.swagger())
    return reply.type('application/json; charset=utf-8').send(description)
  })
})

/** What takes JSON takes the other forms of input too. */
function withBytesBodies(schema: FastifySchema): FastifySchema {
  const body = schema?.body as { content?: object } | undefined
  if (body?.content === undefined) return schema
  return { ...schema, body: { content: { ...body.content, ...BYTES_BODIES } } }
}

import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { assertReady } from '../health.ts'
import type { Services } from '../services.ts'
import { plainJson } from './plain-json.ts'
import { Live, Ready, schemaOf } from './schemas.ts'

/** `GET /v2/health/live` and `/v2/health/ready`: as /livez and /readyz. They need no key. */
export function openInferenceHealth(services: Services): FastifyPluginAsyncTypebox {
  return async (app) => {
    plainJson(app)
    app.get('/v2/health/live', { schema: schemaOf('Is the process alive', Live) }, () => ({ live: true }))
    // The protocol's text has `live` here, KServe's client reads `ready`.
    app.get('/v2/health/ready', { schema: schemaOf('Can requests be sent here', Ready) }, async () => {
      assertReady(services)
      return { ready: true, live: true }
    })
  }
}

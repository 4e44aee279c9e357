import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { ServeError } from '../errors.ts'
import { problem } from './problem-schema.ts'
import type { Readiness, Services } from './services.ts'

const REASONS: Record<Exclude<Readiness, 'ready'>, string> = {
  starting: 'models are being loaded',
  draining: 'the server is shutting down',
  engine_unavailable: 'the engine process is restarting',
}

const Status = Type.Object({ status: Type.String() })

/** `GET /livez`: the process is alive (for whoever restarts it). `GET /readyz`: it takes requests (for balancers). */
export function health(services: Services): FastifyPluginAsyncTypebox {
  return async (app) => {
    const alive = { summary: 'Is the process alive', tags: ['health'], response: { 200: Status } }
    app.get('/livez', { schema: alive }, () => ({ status: 'alive' }))

    const schema = {
      summary: 'Can requests be sent here',
      tags: ['health'],
      response: { 200: Status, 503: problem('Requests must go elsewhere.') },
    }
    app.get('/readyz', { schema }, async () => {
      const readiness = services.readiness()
      if (readiness !== 'ready') throw new ServeError(readiness, REASONS[readiness], { retryAfterS: 1 })
      return { status: 'ready' }
    })
  }
}

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
      assertReady(services)
      return { status: 'ready' }
    })
  }
}

/** Throws why requests are not served. */
export function assertReady({ readiness }: Pick<Services, 'readiness'>): void {
  const state = readiness()
  if (state !== 'ready') throw new ServeError(state, REASONS[state], { retryAfterS: 1 })
}

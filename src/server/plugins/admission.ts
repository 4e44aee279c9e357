import underPressure from '@fastify/under-pressure'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { ServeError } from '../../errors.ts'
import { deadlineOf } from '../../routes/deadline.ts'
import type { Services } from '../../routes/services.ts'

/** What this process may suffer before it takes on no more work; 0 is no limit. */
export interface PressureLimits {
  /** Milliseconds by which the event loop is late, on average over a second. */
  maxEventLoopDelayMs: number
  /** Resident memory. */
  maxRssBytes: number
}

interface Options {
  services: Services
  pressure: PressureLimits
}

/**
 * Refuses work before its body is read: when it cannot be queued or would not be done by its deadline, and when this
 * process is short of time or memory. Node reads the body of a refused request and throws it away, so that the connection
 * can be used again. Register it where inference routes are, and health routes are not.
 */
export const admission = fp(async (app: FastifyInstance, { services, pressure }: Options) => {
  const { limits, refusal } = services
  await app.register(underPressure, {
    maxEventLoopDelay: pressure.maxEventLoopDelayMs,
    maxRssBytes: pressure.maxRssBytes,
    pressureHandler: (_request, _reply, type) => {
      const what = type === 'rssBytes' ? 'memory' : 'time'
      throw new ServeError('overloaded', `the server is short of ${what}`, { retryAfterS: 1 })
    },
  })
  app.addHook('onRequest', (request, _reply, done) => {
    done(request.method === 'POST' ? refusal(1, deadlineOf(request, limits)) : undefined)
  })
})

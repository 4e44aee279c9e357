import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { ServeError } from '../../errors.ts'
import { deadlineOf } from '../../routes/deadline.ts'
import type { Services } from '../../routes/services.ts'

/**
 * How long (ms) a request waits for a server that is starting, as many are done sooner: whoever has no probes, such as
 * nginx, sends requests as soon as the port is open. Their bodies wait with the client.
 */
const START_PATIENCE_MS = 5000

/**
 * Refuses work before its body is read: when this process is short of time or memory, when the work cannot be queued, or
 * would not be done by its deadline. Node reads the body of a refused request and throws it away, so that the connection
 * can be used again. Register it where inference routes are, and health routes are not.
 */
export const admission = fp(async (app: FastifyInstance, services: Services) => {
  const { clock, limits, models, readiness, refusal, started } = services
  app.addHook('onRequest', (request, _reply, done) => {
    if (request.method !== 'POST') return done()
    const deadline = deadlineOf(request, limits)
    const judge = (): void => {
      const ended = readiness() === 'draining' && models.list().length === 0
      done(ended ? new ServeError('draining', 'the server is shutting down', { retryAfterS: 1 }) : refusal(1, deadline))
    }
    if (readiness() !== 'starting') return judge()
    void started(Math.min(deadline - clock.now(), START_PATIENCE_MS)).then(judge)
  })
})

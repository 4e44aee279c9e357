import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { ServeError } from '../../errors.ts'
import { requestTimeoutMs } from '../../routes/deadline.ts'
import { requestPriority } from '../../routes/priority.ts'
import type { Services } from '../../routes/services.ts'

/**
 * Refuses inference before its body is read: while no model is loaded or none has the name, while this process is short of
 * time or memory, and when the work cannot be queued or would miss its deadline. Node reads and discards a refused body, so the
 * connection stays usable. Register it in the scope of the inference routes; health routes must stay outside.
 */
export const admission = fp(async (app: FastifyInstance, services: Services) => {
  const { limits, models, inFlight, refusal } = services
  app.decorateRequest('deadline', Number.POSITIVE_INFINITY)
  app.decorateRequest('priority', 'normal')
  app.addHook('onRequest', (request, reply, done) => {
    if (request.method !== 'POST' && request.method !== 'PUT') return done()
    // From here on the request may hold a model.
    reply.raw.on('close', inFlight.begin())
    request.deadline = request.arrivedAt + requestTimeoutMs(request.headers, limits.requestTimeoutMs)
    request.priority = requestPriority(request.headers)
    const { model, version } = { ...(request.query as object), ...(request.params as object) } as Record<
      string,
      unknown
    >
    done(
      withoutModels(services) ?? refusal(models.get(text(model), text(version)), 1, request.deadline, request.priority),
    )
  })
})

/** Why no model can be asked at all. */
export function withoutModels({ readiness, models }: Services): ServeError | undefined {
  const state = readiness()
  if (state === 'starting') return new ServeError('starting', 'the model is being loaded', { retryAfterS: 1 })
  const ended = state === 'draining' && models.list().length === 0
  return ended ? new ServeError('draining', 'the server is shutting down', { retryAfterS: 1 }) : undefined
}

/** A value of the path or the query, which has not been validated yet. */
function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}

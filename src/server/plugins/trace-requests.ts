import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import type { Tracing } from '../tracing.ts'

/** Methods that only look: probes, scrapes, documentation. */
const NOT_TRACED = new Set(['GET', 'HEAD', 'OPTIONS'])

/**
 * A span for each request that asks for work, and its ids in the request's log lines. Register it after `requestContext`,
 * which ends the span, and before all that may refuse the request.
 */
export const traceRequests = fp(async (app: FastifyInstance, tracing: Tracing) => {
  app.decorateRequest('trace', undefined)
  app.addHook('onRequest', (request, reply, done) => {
    if (NOT_TRACED.has(request.method)) return done()
    const { method, headers, url, protocol, ip, arrivedAt } = request
    const trace = tracing.startRequest({
      method,
      headers,
      route: request.routeOptions.url,
      url,
      protocol,
      ip,
      arrivedAt,
    })
    request.trace = trace
    request.log = request.log.child(trace.logIds)
    reply.log = request.log
    done()
  })
})

import { randomUUID } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import type { Clock } from '../../batching/clock.ts'
import type { Readiness } from '../../routes/services.ts'
import type { Metrics } from '../metrics.ts'

interface Options {
  clock: Clock
  metrics: Metrics
  readiness: () => Readiness
}

/** For every request: arrival time, X-Request-Id, one log line and one count at its end. */
export const requestContext = fp(async (app: FastifyInstance, { clock, metrics, readiness }: Options) => {
  app.decorateRequest('arrivedAt', 0)
  app.decorateRequest('errorCode', undefined)
  app.addHook('onRequest', async (request, reply) => {
    request.arrivedAt = clock.now()
    reply.header('x-request-id', request.id)
  })
  app.addHook('onSend', (request, reply, payload, done) => {
    // Makes clients connect to another replica instead of meeting a closed socket.
    if (readiness() === 'draining') reply.header('connection', 'close')
    // Fastify closes after a body that it could not parse. That resets the connection while the client still sends, and
    // the answer is lost; Node reads the rest and drops it, so the connection can stay.
    else if (reply.getHeader('connection') === 'close' && wantsToStay(request)) reply.header('connection', 'keep-alive')
    done(null, payload)
  })
  app.addHook('onResponse', async (request, reply) => {
    const durationMs = clock.now() - request.arrivedAt
    const { method, errorCode } = request
    const route = request.routeOptions.url ?? 'none'
    metrics.observeRequest(route, method, reply.statusCode, durationMs / 1000, errorCode)
    const line = {
      method,
      route,
      status: reply.statusCode,
      duration_ms: Number(durationMs.toFixed(2)),
      code: errorCode,
    }
    request.log.info(line, 'request')
  })
})

function wantsToStay({ headers, raw }: FastifyRequest): boolean {
  return raw.httpVersion === '1.1' && !/\bclose\b/i.test(headers.connection ?? '')
}

/** The client's X-Request-Id if it is printable and short, since it is echoed and logged; else a new one. */
export function requestId(request: Pick<IncomingMessage, 'headers'>): string {
  const sent = request.headers['x-request-id']
  return typeof sent === 'string' && /^[\x21-\x7e]{1,128}$/.test(sent) ? sent : randomUUID()
}

import { randomUUID } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import type { Clock } from '../../batching/clock.ts'
import type { Readiness } from '../../routes/services.ts'
import { noteResponse } from '../client-error.ts'
import { REQUEST_LINE } from '../logger.ts'
import type { Metrics } from '../metrics.ts'
import { PROBLEMS } from '../problem.ts'

interface Options {
  clock: Clock
  metrics: Metrics
  readiness: () => Readiness
}

/** For every request: arrival time, X-Request-Id, one log line and one count at its end. */
export const requestContext = fp(async (app: FastifyInstance, { clock, metrics, readiness }: Options) => {
  app.decorateRequest('arrivedAt', 0)
  app.decorateRequest('errorCode', undefined)
  app.decorateRequest('apiKey', undefined)
  app.addHook('onRequest', (request, reply, done) => {
    request.arrivedAt = clock.now()
    noteResponse(request.raw.socket, reply.raw)
    reply.header('x-request-id', request.id)
    // Not Fastify's `onResponse`, which does not come for a client that leaves before its answer.
    reply.raw.on('close', () => observe(request, reply))
    done()
  })
  app.addHook('onSend', (_request, reply, payload, done) => {
    // Makes clients connect to another replica instead of meeting a closed socket.
    if (readiness() === 'draining') reply.header('connection', 'close')
    // Fastify closes after a body that it could not parse. That resets the connection while the client still sends, and
    // the answer is lost; Node reads the rest and drops it, so the connection can stay.
    else if (reply.getHeader('connection') === 'close' && reply.raw.shouldKeepAlive) {
      reply.header('connection', 'keep-alive')
    }
    done(null, payload)
  })

  function observe(request: FastifyRequest, { raw, statusCode }: FastifyReply): void {
    const answered = raw.writableEnded
    const code = answered ? request.errorCode : 'canceled'
    const status = answered ? statusCode : PROBLEMS.canceled.status
    const endedAt = clock.now()
    const durationMs = endedAt - request.arrivedAt
    const { method, apiKey, trace } = request
    const route = request.routeOptions.url ?? 'none'
    metrics.observeRequest(route, method, status, durationMs / 1000, code)
    if (apiKey !== undefined) metrics.observeKey(apiKey)
    trace?.end(endedAt, status, code)
    const duration_ms = Number(durationMs.toFixed(2))
    request.log.info({ method, route, status, duration_ms, code, api_key: apiKey }, REQUEST_LINE)
  }
})

/** The client's X-Request-Id if it is printable and short, since it is echoed and logged; else a new one. */
export function requestId(request: Pick<IncomingMessage, 'headers'>): string {
  const sent = request.headers['x-request-id']
  return typeof sent === 'string' && /^[\x21-\x7e]{1,128}$/.test(sent) ? sent : randomUUID()
}

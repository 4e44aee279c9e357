import type { IncomingMessage, ServerResponse } from 'node:http'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import type { Clock } from '../../batching/clock.ts'
import { ServeError } from '../../errors.ts'
import type { Limits } from '../../routes/services.ts'
import { BodyBudget, type BodyMeter } from '../body-budget.ts'
import { hasBody } from '../request-headers.ts'
import { ShortLivedSet } from '../short-lived-set.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** Of all request bodies together, whatever their protocol. */
    bodyBudget: BodyBudget
  }
  interface FastifyRequest {
    /** Undefined without a body, and once the answer is given. */
    bodyMeter: BodyMeter | undefined
  }
}

/** How often (ms) bodies under way are looked through for those that come too slowly. */
const SWEEP_MS = 1000

/** Answers up to this length (bytes) are not counted: refusals must get through. */
const SMALL_ANSWER = 4096

/**
 * What a body may be: no encoding but identity, no more bytes than this request and all requests together may hold, and
 * no slower than somebody who wants an answer sends it. Bytes are counted as they come, whoever reads them.
 */
export const bodyLimits = fp(async (app: FastifyInstance, { limits, clock }: { limits: Limits; clock: Clock }) => {
  const budget = new BodyBudget(limits)
  app.decorate('bodyBudget', budget)
  app.decorateRequest('bodyMeter', undefined)
  const underWay = new ShortLivedSet<{ raw: IncomingMessage; response: ServerResponse; meter: BodyMeter }>()
  let sweptAt = 0

  app.addHook('onRequest', (request, reply, done) => {
    const encoding = request.headers['content-encoding']
    if (encoding !== undefined && encoding.toLowerCase() !== 'identity') {
      throw new ServeError('unsupported_content_encoding', 'send the body without Content-Encoding')
    }
    if (hasBody(request.headers)) meterBody(request, reply)
    done()
  })

  app.addHook('preParsing', (request, _reply, payload, done) => {
    const { raw, bodyMeter } = request
    if (bodyMeter !== undefined) {
      // Paused, so that to listen does not let the bytes flow before there is somebody to read them.
      raw.pause().on('data', ({ length }: Buffer) => {
        try {
          bodyMeter.count(length, clock.now())
        } catch (error) {
          fail(raw, error as ServeError)
        }
      })
      // Where nobody reads the body, nobody needs to know.
      raw.on('error', () => {})
    }
    done(null, payload)
  })

  // An answer is held until its client has read it.
  app.addHook('onSend', (request, _reply, payload, done) => {
    const bytes = Buffer.isBuffer(payload) || typeof payload === 'string' ? payload.length : 0
    if (bytes > SMALL_ANSWER) request.bodyMeter?.charge(bytes)
    done(null, payload)
  })

  function meterBody(request: FastifyRequest, { raw: response }: FastifyReply): void {
    const { raw, ip, headers } = request
    const meter = budget.open(ip, Number(headers['content-length'] ?? 0), clock.now())
    if (underWay.size === 0) sweepLater()
    const leave = underWay.add({ raw, response, meter })
    request.bodyMeter = meter
    response.on('close', () => {
      leave()
      request.bodyMeter = undefined
      meter.close()
    })
  }

  function sweepLater(): void {
    sweptAt = clock.now()
    clock.after(SWEEP_MS, sweep)
  }

  function sweep(): void {
    const now = clock.now()
    // After this process has stalled, what has come meanwhile is still to be read.
    const stalled = now - sweptAt > 2 * SWEEP_MS
    for (const { raw, response, meter } of underWay) {
      if (raw.complete || stalled || !meter.isTooSlow(now)) continue
      // Nothing more is wanted on this connection.
      response.shouldKeepAlive = false
      fail(raw, new ServeError('request_timeout', 'the body comes too slowly'))
    }
    if (underWay.size > 0) sweepLater()
  }
})

/** Ends whoever reads the body with this error. The rest flows off, or the connection would be stuck with it. */
function fail(raw: IncomingMessage, error: ServeError): void {
  raw.removeAllListeners('data')
  raw.emit('error', error)
  raw.resume()
}

import type { FastifyInstance, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'

/**
 * A client that sends `Expect: 100-continue` hears of a refusal before it sends its body (RFC 9110, 10.1.1). Node would
 * tell every one of them to go on. Register it after whatever refuses a request before its body is read.
 */
export const expectContinue = fp(async (app: FastifyInstance) => {
  const waiting = new WeakSet<FastifyRequest>()
  app.addHook('onRequest', (request, { raw }, done) => {
    if (request.headers.expect?.toLowerCase() === '100-continue') {
      waiting.add(request)
      // The client may send the body all the same, or not: nobody can tell what follows the answer.
      raw.shouldKeepAlive = false
    }
    done()
  })
  app.addHook('preParsing', (request, { raw }, payload, done) => {
    if (waiting.has(request)) {
      raw.shouldKeepAlive = !/\bclose\b/i.test(request.headers.connection ?? '')
      raw.writeContinue()
    }
    done(null, payload)
  })
})

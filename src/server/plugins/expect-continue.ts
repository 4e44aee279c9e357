import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'

/**
 * A client that sends `Expect: 100-continue` hears of a refusal before it sends its body (RFC 9110, 10.1.1). Node would
 * tell every one of them to go on. It closes the connection of one that was not told: nobody knows whether its body follows.
 * HTTP/1.0 knows no such answer. Register it after whatever refuses a request before its body is read.
 */
export const expectContinue = fp(async (app: FastifyInstance) => {
  app.addHook('preParsing', ({ raw: { httpVersion, headers } }, reply, payload, done) => {
    const waits = headers.expect?.toLowerCase() === '100-continue' && httpVersion !== '1.0'
    if (waits) reply.raw.writeContinue()
    done(null, payload)
  })
})

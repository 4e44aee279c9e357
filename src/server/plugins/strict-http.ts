import type { IncomingMessage } from 'node:http'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { ServeError } from '../../errors.ts'
import { hasBody } from '../request-headers.ts'

/** As many as Apache takes. Node counts the bytes of names and values alone, and drops what exceeds 2000 lines. */
const MAX_HEADER_LINES = 100
/** The characters of a host and port (RFC 3986, 3.2). */
const HOST = /^[\w.\-~%!$&'()*+,;=:[\]]*$/

/**
 * Refuses with 400 what Node's parser accepts and another server might read differently, and closes the connection: RFC
 * 9112, 3.2 (one Host) and 6.1 (no unknown transfer coding, and none in HTTP/1.0).
 */
export const strictHttp = fp(async (app: FastifyInstance) => {
  app.addHook('onRequest', (request, reply, done) => {
    const objection = objectionTo(request.raw)
    // Node drops what comes in the same bytes behind such a request, so nothing may be expected there. Java's client asks
    // for an upgrade with its first request, which has a body as a rule: that one keeps its connection.
    if (request.headers.upgrade !== undefined && !hasBody(request.headers)) reply.raw.shouldKeepAlive = false
    if (objection === undefined) return done()
    reply.raw.shouldKeepAlive = false
    done(new ServeError('malformed_body', objection))
  })
})

function objectionTo({ httpVersion, headers, rawHeaders }: IncomingMessage): string | undefined {
  if (rawHeaders.length > 2 * MAX_HEADER_LINES) return `there are more than ${MAX_HEADER_LINES} header lines`
  if (headers.host === undefined && httpVersion !== '1.0') return 'HTTP/1.1 needs a Host header'
  if (headers.host !== undefined && (!HOST.test(headers.host) || countHosts(rawHeaders) > 1)) {
    return 'there must be one Host header, and a host in it'
  }
  const coding = headers['transfer-encoding']
  if (coding !== undefined && httpVersion === '1.0') return 'HTTP/1.0 has no Transfer-Encoding'
  if (coding !== undefined && coding.toLowerCase() !== 'chunked') return 'Transfer-Encoding can only be chunked'
  return undefined
}

/** Names stand at even places, values at odd ones. */
function countHosts(rawHeaders: string[]): number {
  return rawHeaders.filter((text, i) => i % 2 === 0 && text.toLowerCase() === 'host').length
}

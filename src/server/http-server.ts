import type { Server } from 'node:http'
import type { Socket } from 'node:net'
import type { FastifyHttpOptions, FastifyInstance } from 'fastify'
import { answerClientError } from './client-error.ts'

/** Time for a client to send its headers (ms). */
const HEADERS_TIMEOUT_MS = 10_000
/** How often (ms) Node looks for requests that come too slowly; their 408 can be late by as much. */
const TIMEOUT_CHECK_MS = 1000
/** A socket without traffic for the request timeout plus this (ms) is closed: its client does not read. */
const UNREAD_GRACE_MS = 5000

export interface ConnectionLimits {
  /** Open at once. */
  maximum: number
  /** On one connection; 0 is no limit. */
  maxRequests: number
  keepAliveTimeoutMs: number
}

interface HttpLimits {
  connections: ConnectionLimits
  maxBodyBytes: number
  requestTimeoutMs: number
}

/** Fastify's options that bound what a connection may do and how long. */
export function httpOptions({ connections, maxBodyBytes, requestTimeoutMs }: HttpLimits) {
  return {
    bodyLimit: maxBodyBytes,
    requestTimeout: requestTimeoutMs,
    connectionTimeout: requestTimeoutMs + UNREAD_GRACE_MS,
    keepAliveTimeout: connections.keepAliveTimeoutMs,
    maxRequestsPerSocket: connections.maxRequests,
    // A request that comes while the server closes is answered like any other.
    return503OnClosing: false,
    http: {
      headersTimeout: Math.min(HEADERS_TIMEOUT_MS, requestTimeoutMs),
      connectionsCheckingInterval: TIMEOUT_CHECK_MS,
      // Node's own refusal says nothing in its body; `strictHttp` refuses instead.
      requireHostHeader: false,
    },
    clientErrorHandler: answerClientError,
  } satisfies FastifyHttpOptions<Server>
}

/** Settings that Fastify has no option for. */
export function boundServer(app: FastifyInstance, { maximum }: ConnectionLimits): void {
  const { server } = app
  server.maxConnections = maximum
  server.on('connection', endWithConnection)
  // An expectation that is not understood may be passed over (RFC 9110, 10.1.1); Node would answer 417 with no body.
  server.on('checkExpectation', (request, response) => server.emit('request', request, response))
  // Node would tell the client to go on; `expectContinue` does, once the request is taken.
  server.on('checkContinue', (request, response) => server.emit('request', request, response))
}

/** What Node's parser takes for "an upgrade: do not parse what follows". */
const UPGRADE = 2

/**
 * Ends the parsing of a connection's bytes with the connection. Node goes on through all that it has read, 64 KiB or two
 * thousand requests, and makes objects of each while every other connection waits; `parser.pause()` does not stop it.
 * `onIncoming` is not documented: it is what Node's server sets to learn of a request. A test fails should it change.
 */
function endWithConnection(socket: Socket & { parser?: { onIncoming(...request: unknown[]): number } }): void {
  const { parser } = socket
  if (parser === undefined) return
  const take = parser.onIncoming
  parser.onIncoming = (...request) => (socket.destroyed ? UPGRADE : take(...request))
}

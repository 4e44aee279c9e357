import type { IncomingHttpHeaders } from 'node:http'
import { ServeError } from '../errors.ts'

/** grpc-timeout's units (gRPC over HTTP/2) in milliseconds. */
const GRPC_UNITS: Record<string, number> = { H: 3_600_000, M: 60_000, S: 1000, m: 1, u: 1e-3, n: 1e-6 }

/**
 * Milliseconds a request may take: the least of the server's limit and the three headers that clients and proxies send.
 * Throws `invalid_parameter` on an unreadable header.
 */
export function requestTimeoutMs(headers: IncomingHttpHeaders, limitMs: number): number {
  return Math.min(
    limitMs,
    milliseconds(headers, 'x-request-timeout-ms'),
    milliseconds(headers, 'x-envoy-expected-rq-timeout-ms'),
    grpcTimeout(headers),
  )
}

function milliseconds(headers: IncomingHttpHeaders, name: string): number {
  const value = headers[name]
  if (value === undefined) return Number.POSITIVE_INFINITY
  if (typeof value !== 'string' || !/^\d{1,12}$/.test(value)) {
    throw new ServeError('invalid_parameter', `${name} must be a whole number of milliseconds`)
  }
  return Number(value)
}

function grpcTimeout(headers: IncomingHttpHeaders): number {
  const value = headers['grpc-timeout']
  if (value === undefined) return Number.POSITIVE_INFINITY
  const match = typeof value === 'string' ? /^(\d{1,8})([HMSmun])$/.exec(value) : null
  if (match === null) throw new ServeError('invalid_parameter', 'grpc-timeout must be like 100m')
  return Number(match[1]) * (GRPC_UNITS[match[2] as string] as number)
}

import type { IncomingHttpHeaders } from 'node:http'

/** Whether a body comes with the request. */
export function hasBody(headers: IncomingHttpHeaders): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0
}

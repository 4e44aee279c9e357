import { randomUUID } from 'node:crypto'
import type { IncomingMessage } from 'node:http'

/** The client's X-Request-Id if it is printable and short, since it is echoed and logged; else a new one. */
export function requestId(request: Pick<IncomingMessage, 'headers'>): string {
  const sent = request.headers['x-request-id']
  return typeof sent === 'string' && /^[\x21-\x7e]{1,128}$/.test(sent) ? sent : randomUUID()
}

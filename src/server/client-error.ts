import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { ErrorCode } from '../errors.ts'

/** HTTP that cannot be parsed never becomes a request: status line and code by Node's error code. */
const STATUS: Record<string, [line: string, code: ErrorCode]> = {
  HPE_HEADER_OVERFLOW: ['431 Request Header Fields Too Large', 'payload_too_large'],
  ERR_HTTP_REQUEST_TIMEOUT: ['408 Request Timeout', 'request_timeout'],
}

/** A WeakMap by socket would keep responses in memory for long, as a Set does (short-lived-set.ts). */
const LAST_RESPONSE = Symbol('the last response, until it is given and its request has come')

type Connection = Socket & { [LAST_RESPONSE]?: ServerResponse | undefined }

export function noteResponse(socket: Connection, response: ServerResponse): void {
  socket[LAST_RESPONSE] = response
  response.on('close', () => {
    if (response.req.complete && socket[LAST_RESPONSE] === response) socket[LAST_RESPONSE] = undefined
  })
}

/** Answers what it can, as a problem, and closes the connection: its framing cannot be trusted any more. */
export function answerClientError(error: NodeJS.ErrnoException, socket: Connection): void {
  // Bytes after the connection's last request: they get no answer, and the last answer is still to come.
  if (error.code === 'HPE_CLOSED_CONNECTION') return
  const last = socket[LAST_RESPONSE]
  // The rest of an answered request: its client would take a second answer for that of its next request.
  const isRest = last?.destroyed && !last.req.complete
  if (error.code === 'ECONNRESET' || isRest || socket.destroyed || !socket.writable) {
    socket.destroy()
    return
  }
  // Garbage after a whole request: that is answered first, and alone. Its client is not to take our 400 for the answer.
  const isDue = last?.destroyed === false && (last.req.complete || last.writableEnded)
  if (isDue && error.code !== 'HPE_INVALID_EOF_STATE') {
    if (!last.headersSent) last.shouldKeepAlive = false
    last.once('finish', () => socket.destroySoon())
    return
  }
  const [line, code] = STATUS[error.code ?? ''] ?? ['400 Bad Request', 'malformed_body']
  const status = Number(line.slice(0, 3))
  const body = JSON.stringify({ type: 'about:blank', title: line.slice(4), status, detail: 'not valid HTTP', code })
  const headers = [
    `HTTP/1.1 ${line}`,
    'connection: close',
    'content-type: application/problem+json; charset=utf-8',
    `content-length: ${Buffer.byteLength(body)}`,
  ]
  socket.end(`${headers.join('\r\n')}\r\n\r\n${body}`, () => socket.destroy())
}

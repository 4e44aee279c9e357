import { connect, type Socket } from 'node:net'
import { AnswerReader } from './answer-reader.ts'

const READ_BUFFER_BYTES = 64 * 1024

export interface ConnectionEvents {
  onAnswer: (status: number) => void
  /** The connection ended unasked or sent something that is no answer. It is not reopened. */
  onLost: (reason: string) => void
}

/** One keep-alive connection on a bare socket: sends whole requests as bytes, one at a time, and reports statuses. */
export class Connection {
  readonly #socket: Socket

  constructor({ hostname, port }: URL, { onAnswer, onLost }: ConnectionEvents) {
    const reader = new AnswerReader(onAnswer)
    let reason = 'connection closed by the server'
    this.#socket = connect({
      host: hostname,
      port: Number(port),
      noDelay: true,
      // One buffer for all reads: none of it is kept.
      onread: {
        buffer: Buffer.allocUnsafe(READ_BUFFER_BYTES),
        callback: (bytes, buffer) => {
          try {
            reader.push((buffer as Buffer).subarray(0, bytes))
            return true
          } catch (error) {
            reason = (error as Error).message
            this.#socket.destroy()
            return false
          }
        },
      },
    })
    this.#socket.on('error', (error: NodeJS.ErrnoException) => {
      reason = error.code ?? error.message
    })
    this.#socket.once('close', () => onLost(reason))
  }

  send(request: Buffer): void {
    this.#socket.write(request)
  }

  /** No event follows. */
  close(): void {
    this.#socket.removeAllListeners('close')
    this.#socket.destroy()
  }
}

/** A request as it goes over the wire. */
export function requestBytes(url: URL, headers: Record<string, string>, body: Uint8Array): Buffer {
  const all = { host: url.host, ...headers, 'content-length': String(body.length) }
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`)
  return Buffer.concat([Buffer.from(`POST ${url.pathname}${url.search} HTTP/1.1\r\n${lines.join('')}\r\n`), body])
}

import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Clock } from '../batching/clock.ts'

/** How long (ms) a client may keep a closing server waiting without a byte coming or going. */
const PATIENCE_MS = 2000

interface Connection {
  exchanges: Set<{ request: IncomingMessage; response: ServerResponse }>
  /** Bytes in both directions when they last changed, and when that was seen; -1 before anyone has looked. */
  bytes: number
  seenAt: number
}

/**
 * The connections of a server, so that it can end without waiting for clients that have nothing more to say. Node closes
 * only connections that have been idle after an answer: not those that never sent a request, nor half of one, and it
 * enforces no timeout once the server closes.
 */
export class Connections {
  readonly #open = new Map<Socket, Connection>()
  readonly #clock: Clock

  constructor(server: Server, clock: Clock) {
    this.#clock = clock
    server.on('connection', (socket) => {
      this.#open.set(socket, { exchanges: new Set(), bytes: -1, seenAt: clock.now() })
      socket.once('close', () => this.#open.delete(socket))
    })
    server.on('request', (request, response) => {
      const exchanges = this.#open.get(request.socket)?.exchanges
      const exchange = { request, response }
      exchanges?.add(exchange)
      response.once('close', () => exchanges?.delete(exchange))
    })
  }

  /**
   * Closes connections on which nothing is under way and nothing has come since the last call, and those where it has
   * been the client's turn for too long: to send the rest of a request, or to read an answer.
   */
  closeUnused(): void {
    const now = this.#clock.now()
    for (const [socket, connection] of this.#open) {
      const bytes = socket.bytesRead + socket.bytesWritten - socket.writableLength
      if (bytes !== connection.bytes) {
        connection.bytes = bytes
        connection.seenAt = now
        continue
      }
      const turn = turnOf(connection)
      if (turn === 'nobody' || (turn === 'client' && now - connection.seenAt >= PATIENCE_MS)) socket.destroy()
    }
  }
}

function turnOf({ exchanges }: Connection): 'nobody' | 'client' | 'server' {
  if (exchanges.size === 0) return 'nobody'
  const waiting = [...exchanges].every(({ request, response }) => !request.complete || response.writableEnded)
  return waiting ? 'client' : 'server'
}

import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Clock } from '../batching/clock.ts'
import { ShortLivedSet } from './short-lived-set.ts'

/** How long (ms) a client may keep a closing server waiting without sending or receiving a byte. */
const PATIENCE_MS = 2000

interface Connection {
  exchanges: ShortLivedSet<{ request: IncomingMessage; response: ServerResponse }>
  /** Bytes in both directions when a check last saw a change (-1 before the first), and the time of that check. */
  bytes: number
  seenAt: number
}

/**
 * Tracks a server's connections, so that it can end without waiting for silent clients. Node closes only connections
 * that are idle after an answer. It keeps those that sent no request, or half of one, and enforces no timeout once the
 * server closes.
 */
export class Connections {
  readonly #open = new Map<Socket, Connection>()
  readonly #clock: Clock

  constructor(server: Server, clock: Clock) {
    this.#clock = clock
    server.on('connection', (socket) => {
      this.#open.set(socket, { exchanges: new ShortLivedSet(), bytes: -1, seenAt: clock.now() })
      socket.once('close', () => this.#open.delete(socket))
    })
    server.on('request', (request, response) => {
      const leave = this.#open.get(request.socket)?.exchanges.add({ request, response })
      if (leave) response.on('close', leave)
    })
  }

  /**
   * Closes connections that have no request in progress and moved no byte since the last call. Closes others when the
   * client has been silent too long while sending a request or reading an answer.
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
      const awaited = whoIsAwaited(connection)
      if (awaited === 'nobody' || (awaited === 'client' && now - connection.seenAt >= PATIENCE_MS)) socket.destroy()
    }
  }
}

/** `client`: each exchange lacks the rest of a request, or an answer that is written but not read. */
function whoIsAwaited({ exchanges }: Connection): 'nobody' | 'client' | 'server' {
  if (exchanges.size === 0) return 'nobody'
  const waiting = [...exchanges].every(({ request, response }) => !request.complete || response.writableEnded)
  return waiting ? 'client' : 'server'
}

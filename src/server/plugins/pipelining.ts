import type { Socket } from 'node:net'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'

/** Requests that may wait behind another on their connection; with one more the connection is closed. */
const MAX_WAITING = 128
/** The same on all connections together: each of them holds up to 16 KiB of headers. */
const MAX_WAITING_IN_ALL = 1000

/**
 * Serves the pipelined requests of a connection one after the other; their answers must leave in that order anyway.
 * Node would start all of them at once (a thousand fit in 64 KiB) ahead of other connections, and keep the answers in
 * memory until the client reads. Nor does Node emit `close` on a response that is not yet due when its connection ends,
 * so whatever waits for that would wait for ever.
 */
export const pipelining = fp(async (app: FastifyInstance) => {
  /** What waits on each connection that has a request under way. */
  const lines = new WeakMap<Socket, (() => void)[]>()
  let waiting = 0

  app.addHook('onRequest', (request, { raw: response }, done) => {
    const { socket } = request.raw
    const serve = (): void => {
      response.on('close', () => {
        const next = lines.get(socket)?.shift()
        if (next === undefined) return lines.delete(socket)
        waiting--
        // Others first.
        setImmediate(next)
      })
      done()
    }
    const line = lines.get(socket)
    if (line === undefined) {
      lines.set(socket, [])
      serve()
    } else if (line.length < MAX_WAITING && waiting < MAX_WAITING_IN_ALL) {
      waiting++
      line.push(() => {
        // No response is due on a connection that has ended, or ends with the last answer.
        if (response.socket !== null && !response.destroyed) return serve()
        waiting -= lines.get(socket)?.length ?? 0
        lines.delete(socket)
      })
    } else socket.destroy()
  })
})

import type { Socket } from 'node:net'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'

/** Requests that may wait behind another on their connection; with one more the connection is closed. */
const MAX_WAITING = 128

/**
 * Serves the pipelined requests of a connection one after the other; their answers must leave in that order anyway.
 * Node would start all of them at once (a thousand fit in 64 KiB) ahead of other connections, and keep the answers in
 * memory until the client reads. Nor does Node emit `close` on a response that is not yet due when its connection ends,
 * so whatever waits for that would wait for ever.
 */
export const pipelining = fp(async (app: FastifyInstance) => {
  /** What waits on each connection that has a request under way. */
  const lines = new WeakMap<Socket, (() => void)[]>()

  app.addHook('onRequest', (request, { raw: response }, done) => {
    const { socket } = request.raw
    const serve = (): void => {
      response.once('close', () => {
        const next = lines.get(socket)?.shift()
        if (next === undefined) lines.delete(socket)
        // Others first.
        else setImmediate(next)
      })
      done()
    }
    const line = lines.get(socket)
    if (line === undefined) {
      lines.set(socket, [])
      serve()
    } else if (line.length < MAX_WAITING) {
      line.push(() => {
        // No response is due on a connection that has ended, or ends with the last answer.
        if (response.socket !== null && !response.destroyed) serve()
      })
    } else socket.destroy()
  })
})

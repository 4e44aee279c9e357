import { once } from 'node:events'
import { createServer, type Server } from 'node:net'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'

declare module 'fastify' {
  interface FastifyInstance {
    /** One more door to the application: it need only be bound to an address, and closes with the application. */
    createListener(): Server
  }
}

/**
 * A server that listens at several addresses has one HTTP server all the same, so that limits, timeouts, error mapping and
 * the list of connections hold at each of them: further listeners hand their connections to it, as Node allows. Fastify
 * would open a second HTTP server, which knows nothing of what was set on the first.
 */
export const listeners = fp(async (app: FastifyInstance) => {
  const open = new Map<Server, Promise<unknown>>()
  app.decorate('createListener', () => {
    // As Node's HTTP server accepts connections itself.
    const listener = createServer({ allowHalfOpen: true, noDelay: true }, (socket) =>
      app.server.emit('connection', socket),
    )
    // Counted at each address.
    listener.maxConnections = app.server.maxConnections
    listener.once('listening', () => open.set(listener, once(listener, 'close')))
    return listener
  })
  app.addHook('preClose', async () => {
    for (const listener of open.keys()) listener.close()
  })
  // Connections have been told to end by then: the HTTP server closes first.
  app.addHook('onClose', async () => {
    await Promise.all(open.values())
  })
})

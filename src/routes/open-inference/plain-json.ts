import type { FastifyInstance } from 'fastify'

/** Answers with JSON under exactly `application/json`, where Fastify adds a charset: clients compare the whole text. */
export function plainJson(app: Pick<FastifyInstance, 'addHook'>): void {
  app.addHook('onSend', (_request, reply, payload, done) => {
    const type = reply.getHeader('content-type')
    if (typeof type === 'string' && type.startsWith('application/json'))
      reply.header('content-type', 'application/json')
    done(null, payload)
  })
}

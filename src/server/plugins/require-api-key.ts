import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { ServeError } from '../../errors.ts'
import { type ApiKey, authenticate } from '../api-keys.ts'

/** Refuses requests without one of the keys before their bodies are read. Register it in the scope of the routes it guards. */
export const requireApiKey = fp(async (app: FastifyInstance, { apiKeys }: { apiKeys: ApiKey[] }) => {
  app.addHook('onRoute', (route) => {
    route.schema = { ...route.schema, security: [{ bearer: [] }] }
  })
  app.addHook('onRequest', (request, _reply, done) => {
    request.apiKey = authenticate(apiKeys, request.headers.authorization)
    if (request.apiKey !== undefined) return done()
    done(new ServeError('unauthorized', 'send Authorization: Bearer <API key>'))
  })
})

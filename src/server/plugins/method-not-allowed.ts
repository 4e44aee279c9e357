import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import findMyWay, { type HTTPMethod } from 'find-my-way'
import { ServeError } from '../../errors.ts'

const METHODS: HTTPMethod[] = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']

/**
 * Answers 404 for an unknown path, and 405 with `Allow` for a known path with another method, where Fastify says 404.
 * Fastify's `findRoute` matches patterns (`/models/:name`), not paths (`/models/digits`), so a second router of the
 * same library learns every route. Register it before whatever checks the body, which no longer matters then.
 */
export const methodNotAllowed = fp(async (app: FastifyInstance) => {
  const router = findMyWay({ ignoreTrailingSlash: true })
  app.addHook('onRoute', ({ method, url }) => {
    // Preflights, which come for any path.
    if (url === '*') return
    for (const name of [method].flat() as HTTPMethod[]) if (!router.hasRoute(name, url)) router.on(name, url, () => {})
  })
  const notFound = (): ServeError => new ServeError('not_found', 'there is nothing at this path')
  // For routes that find nothing themselves: a missing file of the documentation.
  app.setNotFoundHandler(() => {
    throw notFound()
  })
  app.addHook('onRequest', (request, reply, done) => {
    if (!request.is404) return done()
    const [path = '/'] = request.url.split('?')
    const allowed = METHODS.filter((method) => router.find(method, path) !== null).join(', ')
    if (allowed === '') return done(notFound())
    reply.header('allow', allowed)
    done(new ServeError('method_not_allowed', `this path takes ${allowed}`))
  })
})

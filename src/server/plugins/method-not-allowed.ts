import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import findMyWay, { type HTTPMethod } from 'find-my-way'
import { ServeError } from '../../errors.ts'

const METHODS: HTTPMethod[] = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']

/**
 * 404 for a path that does not exist, 405 with `Allow` for one that does under another method, which Fastify answers
 * with 404. Fastify's own `findRoute` matches patterns and not paths (`/models/:name`, not `/models/digits`), so a second
 * router of the same library learns every route. Asked before the body is looked at: whatever is wrong with that does not
 * matter any more.
 */
export const methodNotAllowed = fp(async (app: FastifyInstance) => {
  const router = findMyWay({ ignoreTrailingSlash: true })
  app.addHook('onRoute', ({ method, url }) => {
    for (const name of [method].flat() as HTTPMethod[]) if (!router.hasRoute(name, url)) router.on(name, url, () => {})
  })
  // What a route itself does not find: a file of the documentation.
  app.setNotFoundHandler(() => {
    throw new ServeError('not_found', 'there is nothing at this path')
  })
  app.addHook('onRequest', (request, reply, done) => {
    if (!request.is404) return done()
    const [path = '/'] = request.url.split('?')
    const allowed = METHODS.filter((method) => router.find(method, path) !== null).join(', ')
    if (allowed === '') return done(new ServeError('not_found', 'there is nothing at this path'))
    reply.header('allow', allowed)
    done(new ServeError('method_not_allowed', `this path takes ${allowed}`))
  })
})

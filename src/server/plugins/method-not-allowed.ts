import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import findMyWay, { type HTTPMethod } from 'find-my-way'
import { ServeError } from '../../errors.ts'
import { sendProblem } from '../problem.ts'

const METHODS: HTTPMethod[] = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']

/**
 * 404 for a path that does not exist, 405 with `Allow` for one that does under another method, which Fastify answers
 * with 404. Its router cannot be asked what else it knows, so a second one (the same library) learns every route.
 */
export const methodNotAllowed = fp(async (app: FastifyInstance) => {
  const router = findMyWay()
  app.addHook('onRoute', ({ method, url }) => {
    for (const name of [method].flat() as HTTPMethod[]) if (!router.hasRoute(name, url)) router.on(name, url, () => {})
  })
  app.setNotFoundHandler((request, reply) => {
    const [path = '/'] = request.url.split('?')
    const allowed = METHODS.filter((method) => router.find(method, path) !== null)
    if (allowed.length === 0)
      return sendProblem(new ServeError('not_found', 'there is nothing at this path'), request, reply)
    reply.header('allow', allowed.join(', '))
    const detail = `this path takes ${allowed.join(', ')}`
    return sendProblem(new ServeError('method_not_allowed', detail), request, reply)
  })
})

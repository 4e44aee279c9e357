import { join } from 'node:path'
import fastifyStatic from '@fastify/static'
import type { FastifyPluginAsync } from 'fastify'

/**
 * `GET /`: the playground, which the build puts into `folder`. The names of what lies under /assets/ hold a hash of what is in
 * them, so a browser need never ask for it again; it asks each time whether the page itself has changed.
 */
export function playground(folder: string): FastifyPluginAsync {
  return async (app) => {
    // A route for each file, and none for other paths: what is not there is answered like any unknown path.
    const options = { wildcard: false, decorateReply: false, cacheControl: false }
    await app.register(fastifyStatic, {
      ...options,
      root: folder,
      setHeaders: (reply, path) => {
        const isHashed = path.startsWith(join(folder, 'assets'))
        void reply.header('cache-control', isHashed ? 'public, max-age=31536000, immutable' : 'no-cache')
      },
    })
  }
}

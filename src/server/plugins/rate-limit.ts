import limiter, { normalizeIP } from '@fastify/rate-limit'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { ServeError } from '../../errors.ts'

const WINDOW_MS = 60_000

/** Callers that are remembered; beyond it, the one that was quiet for the longest is forgotten. */
const MAX_CALLERS = 5000

/**
 * Refuses requests of a caller that has made so many within a minute of its first. A caller is an API key's name, or else an
 * address (of IPv6, the /64 network). Register it after the keys are checked; it runs before a body is read.
 */
export const rateLimit = fp(async (app: FastifyInstance, { perMinute }: { perMinute: number }) => {
  await app.register(limiter, {
    // As one hook: the plugin's own, of each route, would run after those that refuse for overload.
    global: false,
    max: perMinute,
    timeWindow: WINDOW_MS,
    cache: MAX_CALLERS,
    keyGenerator: ({ apiKey, ip }) => apiKey ?? normalizeIP(ip),
    errorResponseBuilder: (_request, { max, ttl }) =>
      new ServeError('rate_limited', `more than ${max} requests in a minute`, { retryAfterS: Math.ceil(ttl / 1000) }),
  })
  app.addHook('onRequest', app.rateLimit())
})

import cors from '@fastify/cors'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'

/** Headers of answers that pages may read. */
const EXPOSED = [
  'X-Request-Id',
  'Server-Timing',
  'Retry-After',
  'X-Embedding-Space',
  'X-Embedding-Dimensions',
  'Inference-Header-Content-Length',
  'X-RateLimit-Limit',
  'X-RateLimit-Remaining',
  'X-RateLimit-Reset',
]

/** Seconds that a browser may remember the answer to its preflight. */
const MAX_AGE_S = 600

/**
 * Lets pages of other origins call: `*` is all of them. Preflights carry no key, so it must be registered before whatever asks
 * for one. Every OPTIONS request is then answered here.
 */
export const crossOrigin = fp(async (app: FastifyInstance, { origins }: { origins: string[] }) => {
  await app.register(cors, {
    origin: origins.includes('*') ? '*' : origins,
    methods: ['GET', 'HEAD', 'POST'],
    exposedHeaders: EXPOSED,
    maxAge: MAX_AGE_S,
    // Its refusal of other OPTIONS requests is not in the form of our errors.
    strictPreflight: false,
  })
})

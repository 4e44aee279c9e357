import type { FastifyReply } from 'fastify'

/**
 * Aborts when the connection closes before the answer is complete. Fastify's `request.signal` follows the request's own
 * `close`, which comes with the end of its body and says nothing of the client.
 */
export function clientSignal(reply: FastifyReply): AbortSignal {
  const { raw } = reply
  if (raw.destroyed) return AbortSignal.abort()
  const controller = new AbortController()
  raw.once('close', () => {
    if (!raw.writableFinished) controller.abort()
  })
  return controller.signal
}

import type { FastifyReply, FastifyRequest } from 'fastify'
import type { CancelSignal } from '../batching/job.ts'
import type { InferenceRequest } from './infer.ts'

/** How long the client of a request waits, until its deadline or until it leaves, whether others go first, and its trace. */
export function patience(
  { deadline, priority, trace }: FastifyRequest,
  reply: FastifyReply,
): Pick<InferenceRequest, 'deadline' | 'priority' | 'signal' | 'context'> {
  return { deadline, priority, signal: clientSignal(reply), context: trace }
}

/**
 * Aborts when the connection closes before the answer is complete. Fastify's `request.signal` does not: it follows the
 * end of the request's body. An AbortController would cost 10 us per request.
 */
export function clientSignal({ raw }: FastifyReply): CancelSignal {
  const listeners = new Map<() => void, () => void>()
  return {
    get aborted() {
      return raw.destroyed && !raw.writableFinished
    },
    addEventListener(_type, listener) {
      const onClose = (): void => {
        if (!raw.writableFinished) listener()
      }
      listeners.set(listener, onClose)
      raw.once('close', onClose)
    },
    removeEventListener(_type, listener) {
      const onClose = listeners.get(listener)
      if (onClose) raw.off('close', onClose)
    },
  }
}

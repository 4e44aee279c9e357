import type { FastifyReply } from 'fastify'
import type { CancelSignal } from '../batching/job.ts'

/**
 * Aborts when the connection closes before the answer is complete. Fastify's `request.signal` follows the request's own
 * `close`, which comes with the end of its body and says nothing of the client. An AbortController would do the same for
 * 10 us a request.
 */
export function clientSignal({ raw }: FastifyReply): CancelSignal {
  const listeners = new Map<() => void, () => void>()
  const gone = (): boolean => raw.destroyed && !raw.writableFinished
  return {
    get aborted() {
      return gone()
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

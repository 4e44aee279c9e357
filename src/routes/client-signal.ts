import type { ServerResponse } from 'node:http'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { CancelSignal } from '../batching/job.ts'
import type { InferenceRequest } from './infer.ts'

/** How long the client of a request waits, until its deadline or until it leaves, whether others go first, and its trace. */
export function patience(
  { deadline, priority, trace }: FastifyRequest,
  reply: FastifyReply,
): Pick<InferenceRequest, 'deadline' | 'priority' | 'signal' | 'context'> {
  return { deadline, priority, signal: new ClientSignal(reply.raw), context: trace }
}

/**
 * Aborts when the connection closes before the answer is complete. Fastify's `request.signal` does not: it follows the
 * end of the request's body. An AbortController would cost 10 us per request. A class, since an object literal with a
 * getter has a hidden class of its own, which keeps the request in memory until a major collection.
 */
export class ClientSignal implements CancelSignal {
  readonly #response: ServerResponse
  readonly #listeners = new Map<() => void, () => void>()

  constructor(response: ServerResponse) {
    this.#response = response
  }

  get aborted(): boolean {
    return this.#response.destroyed && !this.#response.writableFinished
  }

  addEventListener(_type: 'abort', listener: () => void): void {
    const onClose = (): void => {
      if (!this.#response.writableFinished) listener()
    }
    this.#listeners.set(listener, onClose)
    this.#response.on('close', onClose)
  }

  removeEventListener(_type: 'abort', listener: () => void): void {
    const onClose = this.#listeners.get(listener)
    if (onClose) this.#response.off('close', onClose)
  }
}

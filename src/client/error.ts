interface Facts {
  status?: number | undefined
  requestId?: string | undefined
  index?: number | undefined
  retryAfterS?: number | undefined
  cause?: unknown
}

/**
 * Why a request, or one input of it, has no result. `code` is the server's (`queue_full`, `undecodable_image`, ...), or one of
 * the client's own: `timeout` (no answer within `timeoutMs`), `aborted` (by the caller's signal), `connection_failed` (no
 * answer, or half of one), `invalid_answer` (an answer that is none of this server's).
 */
export class ResnetServeError extends Error {
  override readonly name = 'ResnetServeError'
  readonly code: string
  /** A sentence for people. */
  readonly detail: string
  /** HTTP status, if there was an answer. */
  readonly status: number | undefined
  /** The id of the request in the server's log. */
  readonly requestId: string | undefined
  /** Position of the input that failed, from 0. */
  readonly index: number | undefined
  /** Seconds after which the same request may succeed. */
  readonly retryAfterS: number | undefined

  constructor(code: string, detail: string, { status, requestId, index, retryAfterS, cause }: Facts = {}) {
    super(`${code}: ${detail}`, cause === undefined ? undefined : { cause })
    this.code = code
    this.detail = detail
    this.status = status
    this.requestId = requestId
    this.index = index
    this.retryAfterS = retryAfterS
  }
}

export function abortedBy(signal: AbortSignal | undefined): ResnetServeError {
  return new ResnetServeError('aborted', 'the caller aborted', { cause: signal?.reason })
}

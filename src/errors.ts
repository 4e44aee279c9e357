/**
 * Every way a request can fail, as a closed set of codes. `server/problem.ts` maps each to an HTTP status; a new code
 * does not compile until it has one.
 */
export const ERROR_CODES = [
  // What the client sent is wrong.
  'malformed_body',
  'missing_input',
  'invalid_tensor',
  'invalid_parameter',
  'unauthorized',
  'rate_limited',
  'not_found',
  'model_not_found',
  'load_failed',
  'too_many_models',
  'no_classifier',
  'method_not_allowed',
  'request_timeout',
  'payload_too_large',
  'image_too_large',
  'too_many_inputs',
  'json_too_deep',
  'unsupported_media_type',
  'unsupported_image_format',
  'unsupported_content_encoding',
  'undecodable_image',
  // The request is right and the server cannot serve it now.
  'queue_full',
  'deadline_unreachable',
  'overloaded',
  'starting',
  'draining',
  'engine_unavailable',
  'repository_busy',
  'deadline_exceeded',
  'canceled',
  // The server is wrong.
  'inference_failed',
  'internal',
] as const

export type ErrorCode = (typeof ERROR_CODES)[number]

/** Refusals of a server that has more work than it can do. */
export const OVERLOAD_CODES = ['queue_full', 'deadline_unreachable', 'overloaded'] as const satisfies ErrorCode[]

/** All refusals: nothing was computed, and the same request may succeed later or elsewhere. */
export const REFUSAL_CODES = [
  ...OVERLOAD_CODES,
  'starting',
  'draining',
  'engine_unavailable',
] as const satisfies ErrorCode[]

interface ServeErrorOptions {
  /** Position of the offending input in the request, from 0. */
  index?: number
  /** Seconds after which the same request may succeed. */
  retryAfterS?: number | undefined
  cause?: unknown
}

/** A failure with a code. `message` is shown to the client and must hold nothing internal. */
export class ServeError extends Error {
  override readonly name = 'ServeError'
  readonly code: ErrorCode
  readonly index: number | undefined
  readonly retryAfterS: number | undefined

  constructor(code: ErrorCode, message: string, options: ServeErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.index = options.index
    this.retryAfterS = options.retryAfterS
  }

  /** The same failure, of the input at `index`. */
  atIndex(index: number): ServeError {
    return new ServeError(this.code, this.message, { index, retryAfterS: this.retryAfterS, cause: this.cause })
  }
}

/** A ServeError as it is; anything else becomes the cause of one with code `fallback`. */
export function toServeError(error: unknown, fallback: ErrorCode, message: string): ServeError {
  return error instanceof ServeError ? error : new ServeError(fallback, message, { cause: error })
}

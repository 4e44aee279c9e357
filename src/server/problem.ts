import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { type ErrorCode, OVERLOAD_CODES, ServeError } from '../errors.ts'
import { unsupportedType } from '../routes/inputs/read-inputs.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** HTTP status of refusals for overload. */
    overloadStatus: 429 | 503
  }
}

/** Every code's HTTP status and title. Exhaustive by type: a new code does not compile until it stands here. */
const PROBLEMS: Record<ErrorCode, { status: number; title: string }> = {
  malformed_body: { status: 400, title: 'Malformed body' },
  missing_input: { status: 400, title: 'No input' },
  invalid_tensor: { status: 400, title: 'Invalid tensor' },
  invalid_parameter: { status: 400, title: 'Invalid parameter' },
  unauthorized: { status: 401, title: 'Unauthorized' },
  not_found: { status: 404, title: 'Not found' },
  model_not_found: { status: 404, title: 'Model not found' },
  method_not_allowed: { status: 405, title: 'Method not allowed' },
  request_timeout: { status: 408, title: 'Request too slow' },
  payload_too_large: { status: 413, title: 'Payload too large' },
  image_too_large: { status: 413, title: 'Image too large' },
  too_many_inputs: { status: 413, title: 'Too many inputs' },
  json_too_deep: { status: 400, title: 'JSON nested too deep' },
  unsupported_media_type: { status: 415, title: 'Unsupported media type' },
  unsupported_image_format: { status: 415, title: 'Unsupported image format' },
  unsupported_content_encoding: { status: 415, title: 'Unsupported content encoding' },
  undecodable_image: { status: 422, title: 'Undecodable image' },
  queue_full: { status: 503, title: 'Queue full' },
  deadline_unreachable: { status: 503, title: 'Deadline cannot be met' },
  overloaded: { status: 503, title: 'Overloaded' },
  starting: { status: 503, title: 'Starting' },
  draining: { status: 503, title: 'Shutting down' },
  engine_unavailable: { status: 503, title: 'Engine unavailable' },
  deadline_exceeded: { status: 504, title: 'Deadline exceeded' },
  // Nobody reads this answer; the number (nginx's) is for the log and the metrics.
  canceled: { status: 499, title: 'Client closed the request' },
  inference_failed: { status: 500, title: 'Inference failed' },
  internal: { status: 500, title: 'Internal error' },
}

/** What Fastify's own errors mean in our codes; anything else goes by its status. */
const FASTIFY_CODES: Record<string, ErrorCode> = {
  FST_ERR_CTP_BODY_TOO_LARGE: 'payload_too_large',
  FST_ERR_CTP_EMPTY_JSON_BODY: 'missing_input',
  FST_ERR_NOT_FOUND: 'not_found',
  FST_ERR_BAD_URL: 'not_found',
}

const OVERLOAD = new Set<ErrorCode>(OVERLOAD_CODES)

/** What the code is answered with on this server. */
function statusOf(code: ErrorCode, { overloadStatus }: FastifyInstance): number {
  return OVERLOAD.has(code) ? overloadStatus : PROBLEMS[code].status
}

const PROBLEM_TYPE = 'application/problem+json; charset=utf-8'

/** Any thrown value as a ServeError. Words of errors that are not ours stay in the log. */
function toOwnError(error: unknown, { headers }: FastifyRequest): ServeError {
  if (error instanceof ServeError) return error
  const { code, statusCode, validation, validationContext, message } = error as FastifyError & {
    validationContext?: string
  }
  if (validation) {
    return new ServeError(validationContext === 'body' ? 'malformed_body' : 'invalid_parameter', message, {
      cause: error,
    })
  }
  const known = FASTIFY_CODES[code]
  if (known) return new ServeError(known, message, { cause: error })
  if (statusCode === 415) return unsupportedType(headers['content-type'])
  if (statusCode === 408) return new ServeError('request_timeout', message, { cause: error })
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500) {
    return new ServeError('malformed_body', message, { cause: error })
  }
  return new ServeError('internal', 'something went wrong on the server', { cause: error })
}

/** Answers with RFC 9457 problem details; with Retry-After where waiting helps. */
export function sendProblem(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const failure = toOwnError(error, request)
  const status = statusOf(failure.code, request.server)
  const { title } = PROBLEMS[failure.code]
  if (status >= 500 && status !== 503 && status !== 504)
    request.log.error({ err: failure.cause ?? failure }, failure.message)
  if (status === 503 || status === 429) reply.header('retry-after', failure.retryAfterS ?? 1)
  if (status === 401) reply.header('www-authenticate', 'Bearer')
  request.errorCode = failure.code
  return reply
    .code(status)
    .type(PROBLEM_TYPE)
    .send({
      type: 'about:blank',
      title,
      status,
      detail: failure.index === undefined ? failure.message : `input ${failure.index}: ${failure.message}`,
      code: failure.code,
      request_id: request.id,
      index: failure.index,
    })
}

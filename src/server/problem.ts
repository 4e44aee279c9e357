import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import { type ErrorCode, OVERLOAD_CODES, ServeError } from '../errors.ts'
import { unsupportedType } from '../routes/inputs/read-inputs.ts'
import { errorFormatOf } from './error-format.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** HTTP status of refusals for overload. */
    overloadStatus: 429 | 503
  }
}

/** HTTP status and title of every code. A new code does not compile until it is listed here. */
export const PROBLEMS: Record<ErrorCode, { status: number; title: string }> = {
  malformed_body: { status: 400, title: 'Malformed body' },
  missing_input: { status: 400, title: 'No input' },
  invalid_tensor: { status: 400, title: 'Invalid tensor' },
  invalid_parameter: { status: 400, title: 'Invalid parameter' },
  unauthorized: { status: 401, title: 'Unauthorized' },
  rate_limited: { status: 429, title: 'Too many requests' },
  not_found: { status: 404, title: 'Not found' },
  model_not_found: { status: 404, title: 'Model not found' },
  load_failed: { status: 400, title: 'Model cannot be loaded' },
  too_many_models: { status: 409, title: 'Too many models' },
  no_classifier: { status: 404, title: 'Model without a classifier' },
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
  repository_busy: { status: 503, title: 'Model repository busy' },
  deadline_exceeded: { status: 504, title: 'Deadline exceeded' },
  // The client is gone; nginx's number is for the log and the metrics.
  canceled: { status: 499, title: 'Client closed the request' },
  inference_failed: { status: 500, title: 'Inference failed' },
  internal: { status: 500, title: 'Internal error' },
}

/** Our codes for Fastify's errors; others go by their status. */
const FASTIFY_CODES: Record<string, ErrorCode> = {
  FST_ERR_CTP_BODY_TOO_LARGE: 'payload_too_large',
  FST_ERR_CTP_EMPTY_JSON_BODY: 'missing_input',
  FST_ERR_NOT_FOUND: 'not_found',
  FST_ERR_BAD_URL: 'not_found',
  // No name is so long.
  FST_ERR_MAX_PARAM_LENGTH: 'not_found',
}

const OVERLOAD = new Set<ErrorCode>(OVERLOAD_CODES)

/** Any thrown value as a ServeError. The text of unknown errors is logged, not sent. */
function toOwnError(error: unknown, { headers }: FastifyRequest): ServeError {
  if (error instanceof ServeError) return error
  const code = codeOf(error as FastifyError)
  if (code === 'unsupported_media_type') return unsupportedType(headers['content-type'])
  const message = code === 'internal' ? 'something went wrong on the server' : (error as Error).message
  return new ServeError(code, message, { cause: error })
}

function codeOf({ code, statusCode = 500, validation, validationContext }: FastifyError): ErrorCode {
  if (validation) return validationContext === 'body' ? 'malformed_body' : 'invalid_parameter'
  const known = FASTIFY_CODES[code]
  if (known) return known
  if (statusCode === 415) return 'unsupported_media_type'
  if (statusCode === 408) return 'request_timeout'
  return statusCode >= 400 && statusCode < 500 ? 'malformed_body' : 'internal'
}

/** Answers in the form of the path's protocol (`error-format.ts`); with Retry-After where waiting helps. */
export function sendError(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const failure = toOwnError(error, request)
  const { status: usual, title } = PROBLEMS[failure.code]
  const status = OVERLOAD.has(failure.code) ? request.server.overloadStatus : usual
  if (status >= 500 && status !== 503 && status !== 504)
    request.log.error({ err: failure.cause ?? failure }, failure.message)
  if (status === 503 || status === 429) reply.header('retry-after', failure.retryAfterS ?? 1)
  if (status === 401) reply.header('www-authenticate', 'Bearer')
  request.errorCode = failure.code
  const { type, body } = errorFormatOf(request.originalUrl)({
    title,
    status,
    detail: failure.index === undefined ? failure.message : `input ${failure.index}: ${failure.message}`,
    code: failure.code,
    index: failure.index,
    requestId: request.id,
  })
  // As bytes, since Fastify would add a charset to the type of an object or a text.
  return reply
    .code(status)
    .type(type)
    .send(Buffer.from(JSON.stringify(body)))
}

import { Metadata, type StatusObject, status } from '@grpc/grpc-js'
import { type ErrorCode, ServeError, toServeError } from '../../errors.ts'

/** gRPC's status of every code. A new code does not compile until it is listed here. */
export const STATUS: Record<ErrorCode, status> = {
  malformed_body: status.INVALID_ARGUMENT,
  missing_input: status.INVALID_ARGUMENT,
  invalid_tensor: status.INVALID_ARGUMENT,
  invalid_parameter: status.INVALID_ARGUMENT,
  unauthorized: status.UNAUTHENTICATED,
  rate_limited: status.RESOURCE_EXHAUSTED,
  not_found: status.NOT_FOUND,
  model_not_found: status.NOT_FOUND,
  load_failed: status.FAILED_PRECONDITION,
  too_many_models: status.FAILED_PRECONDITION,
  no_classifier: status.NOT_FOUND,
  method_not_allowed: status.UNIMPLEMENTED,
  request_timeout: status.DEADLINE_EXCEEDED,
  // Not RESOURCE_EXHAUSTED, which is for a server that is: it would not help to wait.
  payload_too_large: status.INVALID_ARGUMENT,
  image_too_large: status.INVALID_ARGUMENT,
  too_many_inputs: status.INVALID_ARGUMENT,
  json_too_deep: status.INVALID_ARGUMENT,
  unsupported_media_type: status.INVALID_ARGUMENT,
  unsupported_image_format: status.INVALID_ARGUMENT,
  // As the specification of gRPC's compression has it.
  unsupported_content_encoding: status.UNIMPLEMENTED,
  undecodable_image: status.INVALID_ARGUMENT,
  queue_full: status.RESOURCE_EXHAUSTED,
  deadline_unreachable: status.RESOURCE_EXHAUSTED,
  overloaded: status.RESOURCE_EXHAUSTED,
  repository_busy: status.UNAVAILABLE,
  starting: status.UNAVAILABLE,
  draining: status.UNAVAILABLE,
  engine_unavailable: status.UNAVAILABLE,
  deadline_exceeded: status.DEADLINE_EXCEEDED,
  canceled: status.CANCELLED,
  inference_failed: status.INTERNAL,
  internal: status.INTERNAL,
}

/** What grpc-js itself refuses. All else of it is a message that it cannot read, which it would call INTERNAL. */
const OF_GRPC_JS: Partial<Record<status, ErrorCode>> = {
  [status.RESOURCE_EXHAUSTED]: 'payload_too_large',
  [status.DEADLINE_EXCEEDED]: 'deadline_exceeded',
  [status.CANCELLED]: 'canceled',
}

/** Trailing metadata: our code, which says more than the status. */
const CODE_KEY = 'error-code'

/** Most characters of a sentence: clients bound the size of metadata. */
const MAX_DETAILS = 1000

/** How a call ends. */
export type Status = Omit<StatusObject, 'metadata'> & { metadata?: Metadata | null }

/** A failure as it ends a call. */
export function statusOf(error: unknown): StatusObject {
  const { code, message, index, retryAfterS } = toServeError(error, 'internal', 'something went wrong on the server')
  const metadata = new Metadata()
  metadata.set(CODE_KEY, code)
  if (retryAfterS !== undefined) metadata.set('grpc-retry-pushback-ms', String(Math.ceil(retryAfterS * 1000)))
  const details = index === undefined ? message : `input ${index}: ${message}`
  return { code: STATUS[code], details: sendable(details), metadata }
}

/** The code of a status that `statusOf` made. */
export function codeOf({ metadata }: Status): ErrorCode | undefined {
  return metadata?.get(CODE_KEY)[0] as ErrorCode | undefined
}

/** A status that grpc-js made, as ours. */
export function ofGrpcJs({ code, details }: Status): Status {
  return statusOf(new ServeError(OF_GRPC_JS[code] ?? 'malformed_body', details))
}

/** grpc-js escapes with encodeURI, which throws on half a surrogate pair. */
function sendable(details: string): string {
  return Buffer.from(details.slice(0, MAX_DETAILS)).toString()
}

/** Prints docs/errors.md from the tables of the code: `npm run docs:errors`. */
import { pathToFileURL } from 'node:url'
import { status as grpc } from '@grpc/grpc-js'
import { ERROR_CODES, type ErrorCode, OVERLOAD_CODES, REFUSAL_CODES } from '../src/errors.ts'
import { STATUS } from '../src/routes/grpc/status.ts'
import { openaiFormat } from '../src/routes/openai/error.ts'
import { PROBLEMS } from '../src/server/problem.ts'

/** What happened, and what to do about it. A new code does not compile until it is listed here. */
const MEANINGS: Record<ErrorCode, [what: string, remedy: string]> = {
  malformed_body: ['The body cannot be read: JSON or multipart that is broken or cut off.', 'Mend the body.'],
  missing_input: ['The request has no input.', 'Send a picture or a tensor.'],
  invalid_tensor: [
    'A tensor has the wrong shape, length or type, or a number that is not finite or beyond 1e9.',
    'Compare with `input` and `architecture` in `/info`. Raw bytes are float32, little-endian.',
  ],
  invalid_parameter: ['A parameter, header or field is unknown or has a wrong value.', 'The sentence names it.'],
  unauthorized: ['There is no key, or none that the server knows.', 'Send `Authorization: Bearer <key>`.'],
  rate_limited: ['This caller has made `RATE_LIMIT` requests within a minute.', 'Wait for `Retry-After` seconds.'],
  not_found: ['There is no such path.', 'Compare with [the API](api.md).'],
  model_not_found: ['No such model or version is loaded.', '`/info` lists those that are.'],
  load_failed: ['The version that was to be loaded is missing parts or broken.', 'The sentence says what is wrong.'],
  too_many_models: ['`MAX_LOADED_MODELS` are loaded.', 'Unload one first.'],
  no_classifier: ['The model has an embedding alone.', 'Ask `/embed`.'],
  method_not_allowed: ['The path exists, with another method.', 'The header `Allow` names it.'],
  request_timeout: ['The request itself came too slowly.', 'Send it again, faster; look at the network.'],
  payload_too_large: [
    'The body, a file in it, or its JSON is over a limit.',
    'Send less at a time, or numbers as bytes.',
  ],
  image_too_large: ['A picture has too many pixels, or takes too long to decode.', 'Send it smaller.'],
  too_many_inputs: ['The request has more than `MAX_INPUTS_PER_REQUEST` inputs.', 'Send several requests.'],
  json_too_deep: ['JSON is nested too deep.', 'Send arrays as deep as the tensor has dimensions.'],
  unsupported_media_type: ['The `Content-Type` is none that the path takes.', 'The sentence lists them.'],
  unsupported_image_format: ['The picture is neither PNG, JPEG nor WebP.', 'Convert it.'],
  unsupported_content_encoding: ['The body or message is compressed.', 'Send it as it is.'],
  undecodable_image: ['The bytes are no picture, or a damaged one.', 'Look at the file.'],
  queue_full: ['There is no place in the queue.', 'Wait for `Retry-After`; add replicas.'],
  deadline_unreachable: ['The work ahead takes longer than the deadline.', 'Wait, or allow more time; add replicas.'],
  overloaded: ['The process is short of time, memory or room for bodies.', 'Wait for `Retry-After`; add replicas.'],
  starting: ['The models are being loaded.', 'Wait until `/readyz` says 200.'],
  draining: ['The server is shutting down.', 'Ask another replica.'],
  engine_unavailable: ['The engine’s process is being restarted.', 'Wait, or ask another replica.'],
  repository_busy: ['Sixteen changes of models wait already, or the server is starting or ending.', 'Wait.'],
  deadline_exceeded: ['The deadline passed before the answer.', 'Allow more time, or send less at a time.'],
  canceled: ['The client left before the answer. HTTP’s log and metrics have it; nobody receives it.', 'Nothing.'],
  inference_failed: ['The engine failed at this input, alone as well.', 'Report it, with the log.'],
  internal: ['The server has a defect.', 'Report it, with the log of the `request_id`.'],
}

const HEADER = `# Errors

Every failure has one of these codes. Codes do not change; sentences may. Each protocol says them in its own form:

| under | form |
| --- | --- |
| \`/v1\` | \`{"error": {"message", "type", "param", "code"}}\`, as [OpenAI's API](openai.md#errors) |
| \`/v2\` | \`{"error": "<a sentence>"}\`, as [the Open Inference Protocol](open-inference.md#what-is-refused) |
| \`/predictions\`, \`/ping\`, \`/v1/models/{model}:predict\` | as [TorchServe and TensorFlow Serving](migrating.md) |
| gRPC | a status and a sentence; the code is in the trailing metadata \`error-code\` ([gRPC](grpc.md)) |
| all other paths | problem details (RFC 9457), \`application/problem+json\`, with \`code\`, \`detail\`, \`request_id\` and, for one of many inputs, \`index\` |

- No 5xx is for anything that a client sent.
- **Refusals** computed nothing, so the same request may be sent again: ${list(REFUSAL_CODES)}.
  Those for overload (${list(OVERLOAD_CODES)}) are 429 with \`OVERLOAD_STATUS=429\`.
- Every 503 and 429 carries \`Retry-After\`, in whole seconds. Over gRPC it is \`grpc-retry-pushback-ms\`.
- A deadline that passed (504) may be tried again with more time. What is wrong with a request (4xx) must be mended first.

<!-- Generated from the tables of the code by \`npm run docs:errors\`; a test keeps the two equal. -->

| code | HTTP | gRPC | OpenAI's \`type\` | what happened | what to do |
| --- | --- | --- | --- | --- | --- |
`

export function errorDocs(): string {
  const rows = ERROR_CODES.map((code) => {
    const { status } = PROBLEMS[code]
    return `| \`${code}\` | ${status} | ${grpc[STATUS[code]]} | \`${openaiType(code)}\` | ${MEANINGS[code].join(' | ')} |\n`
  })
  return HEADER + rows.join('')
}

function openaiType(code: ErrorCode): string {
  const failure = { ...PROBLEMS[code], detail: '', code, requestId: '', index: undefined }
  return (openaiFormat(failure).body as { error: { type: string } }).error.type
}

function list(codes: readonly ErrorCode[]): string {
  return codes.map((code) => `\`${code}\``).join(', ')
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) process.stdout.write(errorDocs())

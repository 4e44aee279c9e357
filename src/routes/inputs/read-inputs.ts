import type { FastifyRequest } from 'fastify'
import type { Static } from 'typebox'
import { ServeError } from '../../errors.ts'
import { decodedFormat, type ImageFormat } from '../../preprocessing/image-format.ts'
import { countBinaryTensors } from '../../preprocessing/tensor.ts'
import type { InputShape } from '../../repository/input-spec.ts'
import type { Limits } from '../services.ts'
import { type JsonBodySchema, readJson } from './json.ts'
import { readMultipart } from './multipart.ts'
import { assertInputCount, type RawInput } from './raw-input.ts'

/** Content types whose body is one image. */
export const IMAGE_TYPES = ['image/png', 'image/jpeg', 'image/webp']
/** Other names that the same pictures go by. No name is trusted: content decides. */
export const IMAGE_ALIASES = ['image/jpg', 'image/pjpeg', 'image/x-png']

const FORM = 'multipart/form-data'
const TENSORS = 'application/octet-stream'

/** For a body of any other type, which nobody reads: what came, and what would be taken. */
export function unsupportedType(type: string | undefined): ServeError {
  const came =
    type === undefined ? 'the request has no Content-Type' : `Content-Type ${type.slice(0, 100)} is not taken`
  const taken = [FORM, ...IMAGE_TYPES, 'application/json'].join(', ')
  return new ServeError('unsupported_media_type', `${came}; send ${taken} or ${TENSORS}`)
}

/** The inputs of a request in any of the four forms, in their order, not yet decoded. */
export async function readInputs(request: FastifyRequest, shape: InputShape, limits: Limits): Promise<RawInput[]> {
  if (request.isMultipart()) return readMultipart(request, limits)
  if (request.body === undefined || request.body === null)
    throw new ServeError('missing_input', 'the request has no body')
  const type = contentType(request)
  if (IMAGE_TYPES.includes(type) || IMAGE_ALIASES.includes(type)) return [{ image: request.body as Buffer }]
  if (type === TENSORS) return readBinary(request.body as Buffer, shape, limits)
  return readJson(request.body as Static<typeof JsonBodySchema>, limits)
}

function readBinary(body: Buffer, shape: InputShape, limits: Limits): RawInput[] {
  const picture = pictureFormat(body)
  if (picture !== undefined) {
    const detail = `these are ${picture.toUpperCase()} bytes, not float32; send Content-Type: image/${picture}`
    throw new ServeError('invalid_tensor', detail)
  }
  const count = countBinaryTensors(body, shape)
  assertInputCount(count, limits.maxInputs)
  const itemBytes = body.length / count
  return Array.from({ length: count }, (_, i) => ({ values: body.subarray(i * itemBytes, (i + 1) * itemBytes) }))
}

/** What the bytes begin like, if it is a picture. The first three bytes of a JPEG may begin a tensor too, as 1.9988; with the marker that comes next it is -2e15 or more. */
export function pictureFormat(body: Buffer): ImageFormat | undefined {
  const format = decodedFormat(body)
  return format === 'jpeg' && (body[3] ?? 0) < 0xd8 ? undefined : format
}

function contentType(request: FastifyRequest): string {
  return (request.headers['content-type'] ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? ''
}

import type { FastifyRequest } from 'fastify'
import type { Static } from 'typebox'
import { ServeError } from '../../errors.ts'
import { countBinaryTensors } from '../../preprocessing/tensor.ts'
import type { InputSpec } from '../../repository/manifest.ts'
import type { Limits } from '../services.ts'
import { type JsonBodySchema, readJson } from './json.ts'
import { readMultipart } from './multipart.ts'
import { assertInputCount, type RawInput } from './raw-input.ts'

/** Content types whose body is one image. */
export const IMAGE_TYPES = ['image/png', 'image/jpeg', 'image/webp']

/** The inputs of a request in any of the four forms, in their order, not yet decoded. */
export async function readInputs(request: FastifyRequest, spec: InputSpec, limits: Limits): Promise<RawInput[]> {
  if (request.isMultipart()) return readMultipart(request, limits)
  if (request.body === undefined || request.body === null)
    throw new ServeError('missing_input', 'the request has no body')
  const type = contentType(request)
  if (IMAGE_TYPES.includes(type)) return [{ image: request.body as Buffer }]
  if (type === 'application/octet-stream') return readBinary(request.body as Buffer, spec, limits)
  return readJson(request.body as Static<typeof JsonBodySchema>, limits)
}

function readBinary(body: Buffer, { height, width }: InputSpec, limits: Limits): RawInput[] {
  const count = countBinaryTensors(body, height, width)
  assertInputCount(count, limits.maxInputs)
  const itemBytes = body.length / count
  return Array.from({ length: count }, (_, i) => ({ values: body.subarray(i * itemBytes, (i + 1) * itemBytes) }))
}

function contentType(request: FastifyRequest): string {
  return (request.headers['content-type'] ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? ''
}

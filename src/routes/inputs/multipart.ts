import type { FastifyRequest } from 'fastify'
import { ServeError, toServeError } from '../../errors.ts'
import type { Limits } from '../services.ts'
import { assertInputCount, type RawInput } from './raw-input.ts'

/** Codes that @fastify/multipart gives to limits; whatever else goes wrong in it is the body's fault. */
const LIMIT_CODES = new Set(['FST_PARTS_LIMIT', 'FST_FILES_LIMIT', 'FST_FIELDS_LIMIT'])

/**
 * Every file part of a multipart body, whatever its field is called; fields that are no files are passed over.
 */
export async function readMultipart(request: FastifyRequest, limits: Limits): Promise<RawInput[]> {
  const inputs: RawInput[] = []
  try {
    for await (const part of request.parts()) {
      if (part.type !== 'file') continue
      assertInputCount(inputs.length + 1, limits.maxInputs)
      inputs.push({ image: await part.toBuffer() })
    }
  } catch (error) {
    // What is still to come must flow off, or the connection is stuck with it.
    request.raw.resume()
    throw multipartError(error, limits)
  }
  if (inputs.length === 0) throw new ServeError('missing_input', 'the form has no file')
  return inputs
}

function multipartError(error: unknown, limits: Limits): ServeError {
  const code = (error as { code?: string }).code ?? ''
  if (code === 'FST_REQ_FILE_TOO_LARGE') return tooLarge(limits)
  if (LIMIT_CODES.has(code)) {
    return new ServeError('too_many_inputs', 'the form has too many parts', { cause: error })
  }
  return toServeError(error, 'malformed_body', 'the multipart body is malformed')
}

function tooLarge(limits: Limits): ServeError {
  return new ServeError('payload_too_large', `the files are larger than ${limits.maxBodyBytes} bytes`)
}

import type { FastifyRequest } from 'fastify'
import { ServeError, toServeError } from '../../errors.ts'
import type { Limits } from '../services.ts'
import { assertInputCount, type RawInput } from './raw-input.ts'

/** Codes that @fastify/multipart gives to limits; whatever else goes wrong in it is the body's fault. */
const LIMIT_CODES = new Set(['FST_PARTS_LIMIT', 'FST_FILES_LIMIT', 'FST_FIELDS_LIMIT'])

/**
 * Every file part of a multipart body, whatever its field is called; fields that are no files are passed over. HTTP
 * parsing does not see a multipart body, so where its length was not announced, its bytes are counted here.
 */
export async function readMultipart(request: FastifyRequest, limits: Limits): Promise<RawInput[]> {
  const inputs: RawInput[] = []
  countBody(request)
  try {
    for await (const part of request.parts()) {
      if (part.type !== 'file') continue
      assertInputCount(inputs.length + 1, limits.maxInputs)
      inputs.push({ image: await part.toBuffer() })
    }
  } catch (error) {
    // The rest must be drained, or the connection is stuck.
    request.raw.resume()
    throw multipartError(error, limits)
  }
  if (inputs.length === 0) throw new ServeError('missing_input', 'the form has no file')
  return inputs
}

/** Call `parts()` in the same turn of the event loop: listening lets the bytes flow. */
function countBody({ raw, bodyMeter }: FastifyRequest): void {
  if (bodyMeter === undefined) return
  const count = ({ length }: Buffer): void => {
    try {
      bodyMeter.count(length)
    } catch (error) {
      raw.off('data', count)
      // Ends the parts with this error, and pauses the stream.
      raw.emit('error', error)
      raw.resume()
    }
  }
  raw.on('data', count)
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

import { setImmediate as nextTurn } from 'node:timers/promises'
import type { MultipartFile } from '@fastify/multipart'
import type { FastifyRequest } from 'fastify'
import { ServeError, toServeError } from '../../errors.ts'
import { decodedFormat, SIGNATURE_BYTES } from '../../preprocessing/image-format.ts'
import type { Limits } from '../services.ts'
import { assertInputCount, type RawInput } from './raw-input.ts'

/** Parts of a form that are no pictures: forms carry tokens and empty file inputs, and nobody needs more of them. */
export const MAX_OTHER_PARTS = 16

/** Parts read in one turn of the event loop: hundreds of small ones come in the same bytes, and others wait meanwhile. */
const PARTS_PER_TURN = 16

/** Every picture of a multipart body, whatever its field is called. Other parts are passed over. */
export async function readMultipart(request: FastifyRequest, limits: Limits): Promise<RawInput[]> {
  const inputs: RawInput[] = []
  let others = 0
  try {
    assertBoundary(request.headers['content-type'])
    for await (const part of request.files()) {
      const image = await readPicture(part, limits)
      if (image !== undefined) {
        assertInputCount(inputs.length + 1, limits.maxInputs)
        inputs.push({ image })
      } else if (++others > MAX_OTHER_PARTS) throw tooManyParts()
      if ((inputs.length + others) % PARTS_PER_TURN === 0) await nextTurn()
    }
  } catch (error) {
    // What is still to come must flow off, or the connection is stuck with it.
    request.raw.resume()
    throw multipartError(error, limits)
  }
  if (inputs.length === 0) {
    throw new ServeError('missing_input', 'the form has no picture: no part with a filename or an image type')
  }
  return inputs
}

/**
 * The bytes of a part that is a picture by its filename, its type or its first bytes. Undefined for any other, whose bytes
 * are not kept, and for a file input that was left empty: browsers send it with an empty filename, Node without one.
 */
async function readPicture(part: MultipartFile, limits: Limits): Promise<Buffer | undefined> {
  const { mimetype, file } = part
  // The plugin's type does not say that there may be none.
  const filename = part.filename as string | undefined
  const isImage = mimetype.startsWith('image/')
  // Undefined until the first bytes have come.
  let isPicture: boolean | undefined =
    filename !== undefined || isImage || mimetype === 'application/octet-stream' || undefined
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of file as AsyncIterable<Buffer>) {
    if (isPicture === false) continue
    chunks.push(chunk)
    length += chunk.length
    if (length >= SIGNATURE_BYTES) isPicture ??= decodedFormat(Buffer.concat(chunks)) !== undefined
  }
  if (file.truncated) throw tooLarge(limits)
  const leftEmpty = length === 0 && (filename === '' || (filename === undefined && !isImage))
  return isPicture && !leftEmpty ? Buffer.concat(chunks, length) : undefined
}

function assertBoundary(type = ''): void {
  if (/;\s*boundary\s*=\s*"?[^";\s]/i.test(type)) return
  const detail = `the Content-Type has no boundary; a library that makes the form sets one if you leave the header to it`
  throw new ServeError('malformed_body', detail)
}

function multipartError(error: unknown, limits: Limits): ServeError {
  const code = (error as { code?: string }).code ?? ''
  if (code === 'FST_REQ_FILE_TOO_LARGE') return tooLarge(limits)
  if (code === 'FST_PARTS_LIMIT') return tooManyParts(error)
  return toServeError(error, 'malformed_body', 'the multipart body is malformed')
}

function tooLarge(limits: Limits): ServeError {
  return new ServeError('payload_too_large', `the files are larger than ${limits.maxBodyBytes} bytes`)
}

function tooManyParts(cause?: unknown): ServeError {
  return new ServeError('too_many_inputs', 'the form has too many parts', { cause })
}

import multipart from '@fastify/multipart'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { ServeError } from '../../errors.ts'
import { parseJson } from '../../routes/inputs/json.ts'
import { IMAGE_TYPES } from '../../routes/inputs/read-inputs.ts'
import type { Limits } from '../../routes/services.ts'

/** Parts that are no files, and header lines of one part: nobody needs more, and each costs memory. */
const MAX_FIELDS = 16
const MAX_PART_HEADERS = 16
const MAX_FIELD_BYTES = 1024

/** The four forms of input as bytes or JSON, each bounded. Any other content type is refused with 415. */
export const bodyParsers = fp(async (app: FastifyInstance, { limits }: { limits: Limits }) => {
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, async (_request: FastifyRequest, body: Buffer) =>
    parseJson(body),
  )
  app.addContentTypeParser(
    [...IMAGE_TYPES, 'application/octet-stream'],
    { parseAs: 'buffer' },
    async (_request: FastifyRequest, body: Buffer) => body,
  )
  await app.register(multipart, {
    throwFileSizeLimit: true,
    limits: {
      fileSize: limits.maxBodyBytes,
      files: limits.maxInputs,
      fields: MAX_FIELDS,
      parts: limits.maxInputs + MAX_FIELDS,
      fieldSize: MAX_FIELD_BYTES,
      headerPairs: MAX_PART_HEADERS,
    },
  })
  app.addHook('onRequest', async (request) => {
    const encoding = request.headers['content-encoding']
    if (encoding !== undefined && encoding !== 'identity') {
      throw new ServeError('unsupported_content_encoding', 'send the body without Content-Encoding')
    }
    // The parser's own limit does not see multipart bodies.
    if (Number(request.headers['content-length'] ?? 0) > limits.maxBodyBytes) {
      throw new ServeError('payload_too_large', `the body is larger than ${limits.maxBodyBytes} bytes`)
    }
  })
})

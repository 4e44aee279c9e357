import multipart from '@fastify/multipart'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { parseJson } from '../../routes/inputs/json.ts'
import { IMAGE_TYPES } from '../../routes/inputs/read-inputs.ts'
import type { Limits } from '../../routes/services.ts'

/** Limits of form fields and of a part's header lines. Nobody needs more, and each costs memory. */
const MAX_FIELDS = 16
const MAX_PART_HEADERS = 16
const MAX_FIELD_BYTES = 1024

/** Parses the four forms of input, each bounded. Refuses any other content type with 415. */
export const bodyParsers = fp(async (app: FastifyInstance, { limits }: { limits: Limits }) => {
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, async (_request: FastifyRequest, body: Buffer) =>
    parseJson(body, limits),
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
})

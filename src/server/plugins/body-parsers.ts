import multipart from '@fastify/multipart'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { parseJson } from '../../routes/inputs/json.ts'
import { MAX_OTHER_PARTS } from '../../routes/inputs/multipart.ts'
import { IMAGE_ALIASES, IMAGE_TYPES } from '../../routes/inputs/read-inputs.ts'
import type { Limits } from '../../routes/services.ts'

/** Limits a part's header lines. Nobody needs more, and each costs memory. */
const MAX_PART_HEADERS = 16

/** Parses the four forms of input, each bounded. Refuses any other content type with 415. */
export const bodyParsers = fp(async (app: FastifyInstance, { limits }: { limits: Limits }) => {
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, async (_request: FastifyRequest, body: Buffer) =>
    parseJson(body, limits),
  )
  app.addContentTypeParser(
    [...IMAGE_TYPES, ...IMAGE_ALIASES, 'application/octet-stream'],
    { parseAs: 'buffer' },
    async (_request: FastifyRequest, body: Buffer) => body,
  )
  await app.register(multipart, {
    // A field is decoded as text before anybody sees it. Whether a part is a picture is decided by its bytes too.
    isPartAFile: () => true,
    limits: {
      fileSize: limits.maxBodyBytes,
      parts: limits.maxInputs + MAX_OTHER_PARTS,
      headerPairs: MAX_PART_HEADERS,
    },
  })
})

import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { type Static, Type } from 'typebox'
import { Value } from 'typebox/value'
import { ServeError } from '../../errors.ts'
import { parseJson } from '../inputs/json.ts'
import type { Services } from '../services.ts'

const Path = Type.Object({ model: Type.String() })

const IndexBody = Type.Object({ ready: Type.Optional(Type.Boolean()) })

const ChangeBody = Type.Object({ parameters: Type.Optional(Type.Record(Type.String(), Type.Unknown())) })

const Index = Type.Array(
  Type.Object({
    name: Type.String(),
    version: Type.String(),
    state: Type.String({ description: 'READY, LOADING, UNLOADING or UNAVAILABLE.' }),
    reason: Type.String({ description: 'Why it is not served, or why its last load failed.' }),
  }),
)

/**
 * `POST /v2/repository/index`, `.../models/{model}/load` and `.../unload`: Triton's model repository extension. Which version
 * is meant stands in `parameters.version`, since the protocol has no place for it. Register it in a scope of its own: bodies
 * are JSON whatever their content type says, which Triton's client does not send.
 */
export function repository({ repository, limits }: Services): FastifyPluginAsyncTypebox {
  return async (app) => {
    if (repository === undefined) return
    app.removeAllContentTypeParsers()
    app.addContentTypeParser('*', { parseAs: 'buffer' }, async (_request: unknown, body: Buffer) =>
      body.length === 0 ? undefined : parseJson(body, limits),
    )
    const tags = ['repository']
    // A change takes as long as it takes: the connection must not count as one whose client does not read.
    app.addHook('preHandler', (request, _reply, done) => {
      request.raw.socket.setTimeout(0)
      done()
    })

    const index = { summary: 'Models on disk and their states', tags, response: { 200: Index } }
    app.post('/v2/repository/index', { schema: index }, async ({ body }) => {
      const { ready = false } = read(IndexBody, body)
      return (await repository.index()).filter(({ state }) => !ready || state === 'READY')
    })

    const load = { summary: 'Load a version, the highest unless told', tags, params: Path }
    app.post('/v2/repository/models/:model/load', { schema: load }, async ({ params, body }) => {
      await repository.load(params.model, versionOf(body))
      return {}
    })

    const unload = { summary: 'Unload a version, all unless told', tags, params: Path }
    app.post('/v2/repository/models/:model/unload', { schema: unload }, async ({ params, body }) => {
      await repository.unload(params.model, versionOf(body))
      return {}
    })
  }
}

/** The version that is meant, if any. Refuses what would bring a model or its settings into the server from outside. */
function versionOf(body: unknown): string | undefined {
  const { version, unload_dependents: _, ...others } = read(ChangeBody, body).parameters ?? {}
  const [other] = Object.keys(others)
  if (other !== undefined) {
    throw new ServeError('invalid_parameter', `parameters.${other}: models come from the repository alone`)
  }
  if (version !== undefined && typeof version !== 'string' && typeof version !== 'number') {
    throw new ServeError('invalid_parameter', 'parameters.version must be a string')
  }
  return version?.toString()
}

function read<const Schema extends typeof IndexBody | typeof ChangeBody>(
  schema: Schema,
  body: unknown,
): Static<Schema> {
  const value = body ?? {}
  if (!Value.Check(schema, value)) throw new ServeError('malformed_body', 'the body does not have the form it should')
  return value as Static<Schema>
}

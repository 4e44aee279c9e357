import request from 'supertest'
import { describe, expect, it } from 'vitest'
import { ServeError } from '../../../src/errors.ts'
import type { Services } from '../../../src/routes/services.ts'
import { parseApiKey } from '../../../src/server/api-keys.ts'
import { build } from '../../helpers/build.ts'

const KEY = 'the-key'
const INDEX = [
  { name: 'a', version: '1', state: 'READY', reason: '' },
  { name: 'a', version: '2', state: 'UNAVAILABLE', reason: 'no weights' },
] as const

async function create(failure?: ServeError) {
  const calls: unknown[][] = []
  const change = (what: string) => async (name: string, version?: string) => {
    calls.push(version === undefined ? [what, name] : [what, name, version])
    if (failure) throw failure
  }
  const repository: NonNullable<Services['repository']> = {
    index: async () => [...INDEX],
    load: change('load'),
    unload: change('unload'),
  }
  const { app } = await build({
    services: { repository },
    apiKeys: ['another'],
    app: { adminApiKey: parseApiKey(KEY, 0) },
  })
  const url = await app.listen({ port: 0 })
  /** As tritonclient sends it: JSON without a content type. */
  const post = async (path: string, body = '', key = KEY) => {
    const headers = { authorization: `Bearer ${key}` }
    const answer = await fetch(`${url}/v2/repository/${path}`, { method: 'POST', headers, body: Buffer.from(body) })
    return { status: answer.status, type: answer.headers.get('content-type'), body: await answer.json() }
  }
  return { app, calls, post }
}

const ERROR = { type: 'application/json', body: { error: expect.any(String) } }

describe('POST /v2/repository', () => {
  it('lists the versions with their states, or the ready ones alone', async () => {
    const { post } = await create()
    expect((await post('index')).body).toEqual(INDEX)
    expect((await post('index', '{}')).body).toEqual(INDEX)
    expect(await post('index', '{"ready":true}')).toMatchObject({ status: 200, body: [INDEX[0]] })
  })

  it.each(['load', 'unload'])('asks for a %s of the version named, if one is', async (what) => {
    const { calls, post } = await create()
    expect(await post(`models/a/${what}`)).toMatchObject({ status: 200, body: {} })
    await post(`models/a/${what}`, '{"parameters":{"version":"2"}}')
    await post(`models/a/${what}`, '{"parameters":{"version":2}}')
    await post(`models/a/${what}`, '{"parameters":{"unload_dependents":false}}')
    expect(calls).toEqual([
      [what, 'a'],
      [what, 'a', '2'],
      [what, 'a', '2'],
      [what, 'a'],
    ])
  })

  it.each([
    ['a configuration', '{"parameters":{"config":"{}"}}', /parameters.config: models come from the repository/],
    ['files', '{"parameters":{"file:1/model.onnx":"AAAA"}}', /parameters.file:1\/model.onnx/],
    ['a version that is none', '{"parameters":{"version":["1"]}}', /parameters.version/],
    ['a body that is no object', '[]', /the form it should/],
    ['a body that is not JSON', '{', /JSON/],
  ])('refuses %s with 400', async (_, body, error) => {
    const { calls, post } = await create()
    const answer = await post('models/a/load', body)
    expect(answer).toEqual({ ...ERROR, status: 400, body: { error: expect.stringMatching(error) } })
    expect(calls).toEqual([])
  })

  it.each([
    [new ServeError('load_failed', 'no weights'), 400],
    [new ServeError('model_not_found', 'no model a'), 404],
    [new ServeError('too_many_models', 'too many'), 409],
    [new ServeError('repository_busy', 'busy'), 503],
  ] as const)('says why a change was not made: %s', async (failure, status) => {
    const { post } = await create(failure)
    expect(await post('models/a/load')).toEqual({ ...ERROR, status, body: { error: failure.message } })
  })

  it('wants the administrator’s key, and no other', async () => {
    const { calls, post } = await create()
    for (const key of ['another', '', `${KEY}x`]) {
      expect(await post('models/a/load', '', key)).toMatchObject({ ...ERROR, status: 401 })
    }
    expect(calls).toEqual([])
  })

  it('is not there without such a key', async () => {
    const { app } = await build()
    const answer = await request(app.server).post('/v2/repository/index')
    expect([answer.status, answer.body]).toEqual([404, { error: expect.any(String) }])
  })
})

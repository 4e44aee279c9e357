import request from 'supertest'
import { describe, expect, it } from 'vitest'
import { build } from '../../helpers/build.ts'
import { FakeModel } from '../../helpers/fake-model.ts'

const MODELS = [
  new FakeModel(),
  new FakeModel({ version: '2' }),
  new FakeModel({ name: 'other.model', version: 'v1.0' }),
]
const asModel = (id: string): object => ({ id, object: 'model', created: expect.any(Number), owned_by: 'resnet-serve' })

async function get(path: string) {
  const { app } = await build({ models: MODELS })
  return request(app.server).get(path)
}

describe('GET /v1/models', () => {
  it('lists each model once, by its name', async () => {
    const { status, body } = await get('/v1/models')
    expect(status).toBe(200)
    expect(body).toEqual({ object: 'list', data: [asModel('fake'), asModel('other.model')] })
    expect(Number.isInteger(body.data[0].created)).toBe(true)
  })

  it.each(['fake', 'fake:1', 'fake%3A2', 'other.model', 'other.model:v1.0'])('has %s', async (id) => {
    const { status, body } = await get(`/v1/models/${id}`)
    expect(status).toBe(200)
    expect(body).toEqual(asModel(decodeURIComponent(id)))
  })

  it.each(['nope', 'fake:3', 'fake:', 'fake:1:2', ':', '__proto__', '..%2ffake', '%00'])('has no %s', async (id) => {
    const { status, body } = await get(`/v1/models/${id}`)
    expect([status, body.error.type, body.error.code]).toEqual([404, 'invalid_request_error', 'model_not_found'])
  })

  it('has no model of a name longer than any', async () => {
    const { status, body } = await get(`/v1/models/${'n'.repeat(1000)}`)
    expect([status, body.error.code]).toEqual([404, 'not_found'])
  })

  it('asks for a key where one is needed', async () => {
    const { app } = await build({ apiKeys: ['right'] })
    for (const path of ['/v1/models', '/v1/models/fake']) {
      const { status, body } = await request(app.server).get(path)
      expect([status, body.error.type]).toEqual([401, 'authentication_error'])
      expect((await request(app.server).get(path).set('authorization', 'Bearer right')).status).toBe(200)
    }
  })
})

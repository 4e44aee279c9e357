import request from 'supertest'
import { describe, expect, it, vi } from 'vitest'
import { requestPriority } from '../../src/routes/priority.ts'
import { build } from '../helpers/build.ts'
import { FakeModel } from '../helpers/fake-model.ts'

const TENSORS = 'application/octet-stream'
const good = Buffer.alloc(24)

describe('X-Priority', () => {
  it.each([
    [undefined, 'normal'],
    ['normal', 'normal'],
    ['low', 'low'],
  ])('%s is %s', (value, priority) => {
    expect(requestPriority({ 'x-priority': value })).toBe(priority)
  })

  it.each(['', 'high', 'Low', 'low, low', '1'])('is not %j', (value) => {
    expect(() => requestPriority({ 'x-priority': value })).toThrow('x-priority must be low or normal')
  })

  it.each(['/classify', '/embed'])('of %s reaches those who refuse and those who compute', async (path) => {
    const refusal = vi.fn()
    const { app, model } = await build({ services: { refusal } })
    await request(app.server).post(path).type(TENSORS).send(good)
    await request(app.server).post(path).set('x-priority', 'low').type(TENSORS).send(good)
    expect(model.calls.map(({ options }) => options.priority)).toEqual(['normal', 'low'])
    // Asked at admission and before decoding.
    expect(refusal.mock.calls.map(([, , , priority]) => priority)).toEqual(['normal', 'normal', 'low', 'low'])
  })

  it('is refused when it is unknown, before the body is read', async () => {
    const { app, model } = await build({ models: [new FakeModel()] })
    const { status, body } = await request(app.server).post('/embed').set('x-priority', 'urgent').type('a/b').send('c')
    expect([status, body.code]).toEqual([400, 'invalid_parameter'])
    expect(model.calls).toEqual([])
  })

  it.each(['/classify', '/embed'])('is in the description of %s', async (path) => {
    const { app } = await build()
    const { body } = await request(app.server).get('/openapi.json')
    const { parameters } = body.paths[path].post
    const header = parameters.find(({ name }: { name: string }) => name === 'X-Priority')
    expect(header).toMatchObject({ in: 'header', required: false, schema: { enum: ['normal', 'low'] } })
  })
})

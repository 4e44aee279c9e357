import request from 'supertest'
import { describe, expect, it, vi } from 'vitest'
import { type ErrorCode, OVERLOAD_CODES, REFUSAL_CODES, ServeError } from '../../src/errors.ts'
import { ModelCatalog } from '../../src/model/catalog.ts'
import { type BuildOptions, build } from '../helpers/build.ts'
import { FakeModel } from '../helpers/fake-model.ts'
import { keepAliveClient } from '../helpers/keep-alive.ts'
import { floats, greyPng } from '../helpers/pictures.ts'

const TENSORS = 'application/octet-stream'
const good = floats(1, 2, 3, 4, 5, 6)

const full = (): ServeError => new ServeError('queue_full', 'the queue is full', { retryAfterS: 7 })

describe('work that would be refused', () => {
  it('is refused before its body is read, on a connection that can be used again', async () => {
    let refused: ServeError | undefined = full()
    const { app, model } = await build({ services: { refusal: () => refused } })
    const post = await keepAliveClient(app)
    // Too many bytes for anything to be answered but the refusal, were they parsed.
    const answer = await post('/classify', TENSORS, Buffer.alloc(99_999))
    expect([answer.status, answer.code, answer.headers.get('retry-after')]).toEqual([503, 'queue_full', '7'])
    refused = undefined
    expect((await post('/classify', TENSORS, good)).status).toBe(200)
    expect(model.calls).toHaveLength(1)
  })

  it('is refused before it is decoded, when the queue has filled meanwhile', async () => {
    const decode = vi.fn()
    const refusal = vi.fn().mockReturnValueOnce(undefined).mockReturnValue(full())
    const { app } = await build({ services: { refusal, images: { decodeAll: decode } } })
    const answer = await request(app.server)
      .post('/classify')
      .attach('a', await greyPng(1), 'a.png')
      .attach('b', await greyPng(2), 'b.png')
    expect([answer.status, answer.body.code]).toEqual([503, 'queue_full'])
    expect(decode).not.toHaveBeenCalled()
    expect(refusal.mock.calls.map(([, inputs]) => inputs)).toEqual([1, 2])
  })

  it('is judged by the speed of the model that the query names, or of the default', async () => {
    const refusal = vi.fn()
    const models = ['fast', 'slow'].map((name) => new FakeModel({ name }))
    const { app } = await build({ services: { refusal }, models })
    const asked = async (query: string) => {
      refusal.mockClear()
      const { status } = await request(app.server).post(`/classify${query}`).type(TENSORS).send(good)
      return [status, ...refusal.mock.calls.map(([model]) => model.manifest.name)]
    }
    expect(await asked('')).toEqual([200, 'fast', 'fast'])
    expect(await asked('?model=slow')).toEqual([200, 'slow', 'slow'])
    // What is no name is for the query's own check to refuse.
    expect(await asked('?model=slow&model=fast')).toEqual([400, 'fast'])
  })

  it('is judged by the deadline that the client sent', async () => {
    const refusal = vi.fn()
    const { app, services } = await build({ services: { refusal } })
    await request(app.server).post('/classify').set('x-request-timeout-ms', '5000').type(TENSORS).send(good)
    const [, , deadline] = refusal.mock.calls[0] as [unknown, number, number]
    expect(deadline - services.clock.now()).toBeLessThanOrEqual(5000)
  })
})

describe('a model that is not there', () => {
  it('is told before the body is read', async () => {
    const { app } = await build()
    const post = await keepAliveClient(app)
    const answer = await post('/classify?model=cats', TENSORS, Buffer.alloc(99_999))
    expect([answer.status, answer.code]).toEqual([404, 'model_not_found'])
  })
})

describe('a server without models', () => {
  it.each(['starting', 'draining'] as const)('refuses at once, before the body is read: %s', async (readiness) => {
    const refusal = vi.fn()
    const models = new ModelCatalog()
    const { app } = await build({ services: { readiness: () => readiness, refusal, models } })
    const post = await keepAliveClient(app)
    // Too many bytes for anything to be answered but the refusal, were they parsed.
    const answer = await post('/classify', TENSORS, Buffer.alloc(99_999))
    expect([answer.status, answer.code, answer.headers.get('retry-after')]).toEqual([503, readiness, '1'])
    expect(refusal).not.toHaveBeenCalled()
  })
})

describe('a refusal', () => {
  const refusing = (code: ErrorCode, options: BuildOptions = {}) => {
    const model = new FakeModel()
    model.respond = async () => {
      throw new ServeError(code, 'acted out')
    }
    return build({ models: [model], ...options })
  }

  it.each([...REFUSAL_CODES])('%s carries Retry-After, and is counted once for each that is sent', async (code) => {
    const { app } = await refusing(code)
    const agent = request(app.server)
    for (let i = 0; i < 3; i++) {
      const { headers, status } = await agent.post('/embed').type(TENSORS).send(good)
      expect([status, headers['retry-after']]).toEqual([503, '1'])
    }
    const { text } = await agent.get('/metrics')
    expect(text).toContain(`resnet_refusals_total{reason="${code}"} 3`)
  })

  it.each([...OVERLOAD_CODES])('%s is 429 where that is asked for', async (code) => {
    const { app } = await refusing(code, { app: { overloadStatus: 429 } })
    const { body, headers, status } = await request(app.server).post('/embed').type(TENSORS).send(good)
    expect([status, body.status, body.code, headers['retry-after']]).toEqual([429, 429, code, '1'])
  })

  it.each(['draining', 'engine_unavailable'] as const)('%s is 503 in any case', async (code) => {
    const { app } = await refusing(code, { app: { overloadStatus: 429 } })
    expect((await request(app.server).post('/embed').type(TENSORS).send(good)).status).toBe(503)
  })

  it('is not counted when a balancer asks for readiness', async () => {
    const { app } = await build({ services: { readiness: () => 'starting' } })
    await request(app.server).get('/readyz')
    const { text } = await request(app.server).get('/metrics')
    expect(text).toContain('resnet_refusals_total{reason="starting"} 0')
  })
})

describe('health checks', () => {
  it('are answered whatever is refused', async () => {
    const { app } = await build({ services: { refusal: full } })
    const agent = request(app.server)
    expect((await agent.post('/classify').type(TENSORS).send(good)).status).toBe(503)
    for (const path of ['/livez', '/readyz', '/metrics']) expect((await agent.get(path)).status).toBe(200)
  })
})

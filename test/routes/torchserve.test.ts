import type { InjectOptions } from 'fastify'
import request from 'supertest'
import { describe, expect, it, vi } from 'vitest'
import { type ErrorCode, ServeError } from '../../src/errors.ts'
import { type BuildOptions, build } from '../helpers/build.ts'
import { FakeModel, fakeManifest, withoutClassifier } from '../helpers/fake-model.ts'
import { greyPng } from '../helpers/pictures.ts'

const picture = await greyPng(51)

/** A model of `labels` whose logits are 0, 1, 2, ...: the last class is the likeliest. */
function counting(labels: string[]): FakeModel {
  const { architecture } = fakeManifest()
  const model = new FakeModel({ architecture: { ...architecture, numClasses: labels.length }, labels })
  const logits = Float32Array.from(labels.keys())
  model.respond = async (inputs) =>
    inputs.map(() => ({ logits, embedding: new Float32Array(4), queueMs: 0, computeMs: 0, batchSize: 1 }))
  return model
}

async function send(options: InjectOptions, buildOptions: BuildOptions = {}) {
  const { app } = await build(buildOptions)
  return app.inject({ method: 'POST', url: '/predictions/fake', payload: picture, ...options })
}

describe('POST /predictions/{model}', () => {
  it('gives the probabilities of the five likeliest classes by label, in descending order', async () => {
    const labels = ['0', '1', '2', '3', '4', '5', '6']
    const answer = await send({ headers: { 'content-type': 'image/png' } }, { models: [counting(labels)] })
    expect(answer.statusCode).toBe(200)
    // As text, since the order of numbers as names is lost where they are parsed.
    expect(answer.payload.match(/"\d"/g)).toEqual(['"6"', '"5"', '"4"', '"3"', '"2"'])
    const total = labels.reduce((sum, _, i) => sum + Math.exp(i), 0)
    expect(answer.json()['6']).toBeCloseTo(Math.exp(6) / total, 6)
    expect(answer.headers).toMatchObject({
      'content-type': 'application/json; charset=utf-8',
      'server-timing': expect.stringContaining('compute;dur='),
    })
  })

  it('gives a label that classes share the probability of the likeliest', async () => {
    const answer = await send({}, { models: [counting(['a', 'a', 'b', 'b'])] })
    expect(Object.keys(answer.json())).toEqual(['b', 'a'])
    expect(answer.json().b).toBeGreaterThan(0.6)
  })

  it.each([
    'image/png',
    'image/gif',
    'application/octet-stream',
    'application/x-www-form-urlencoded',
    'application/json',
  ])('reads the body as a picture under %s', async (type) => {
    expect((await send({ headers: { 'content-type': type } })).statusCode).toBe(200)
  })

  it.each(['POST', 'PUT'] as const)('takes %s without a type, which is what curl -T sends by PUT', async (method) => {
    const { app } = await build()
    await app.listen({ port: 0, host: '127.0.0.1' })
    const { port } = app.server.address() as { port: number }
    const answer = await fetch(`http://127.0.0.1:${port}/predictions/fake/1`, { method, body: new Uint8Array(picture) })
    expect(answer.status).toBe(200)
    expect(await answer.json()).toEqual({ zero: 0.33333334, one: 0.33333334, two: 0.33333334 })
  })

  it('takes the file of a form, and answers several with a list', async () => {
    const { app } = await build()
    const agent = request(app.server)
    const one = await agent.post('/predictions/fake').attach('data', picture, 'kitten.png')
    expect(Object.keys(one.body)).toEqual(['zero', 'one', 'two'])
    const two = await agent.post('/predictions/fake').attach('data', picture, 'a.png').attach('b', picture, 'b.png')
    expect(two.body).toEqual([one.body, one.body])
  })

  it('asks the model and the version of the path, and before that whether they have time', async () => {
    const models = [new FakeModel(), new FakeModel({ version: '2' }), new FakeModel({ name: 'other' })]
    const refusal = vi.fn()
    const asked = async (url: string, method: 'POST' | 'PUT') => {
      refusal.mockClear()
      const { statusCode } = await send({ url, method }, { models, services: { refusal } })
      const names = refusal.mock.calls.map(([{ manifest }]) => `${manifest.name}:${manifest.version}`)
      return [statusCode, ...names]
    }
    expect(await asked('/predictions/fake', 'POST')).toEqual([200, 'fake:2', 'fake:2'])
    expect(await asked('/predictions/fake/1', 'POST')).toEqual([200, 'fake:1', 'fake:1'])
    expect(await asked('/predictions/other', 'PUT')).toEqual([200, 'other:1', 'other:1'])
    expect(refusal.mock.calls[0]?.[2]).toBeLessThan(Number.POSITIVE_INFINITY)
  })
})

const failing = (code: ErrorCode): BuildOptions => {
  const model = new FakeModel()
  model.respond = async () => {
    throw new ServeError(code, 'acted out', { retryAfterS: 7 })
  }
  return { models: [model] }
}

interface Row {
  name: string
  sent: InjectOptions
  code: number
  type: string
  options?: BuildOptions
}

const form = { 'content-type': 'multipart/form-data' }
const ROWS: Row[] = [
  { name: 'no body', sent: { payload: '' }, code: 400, type: 'BadRequestException' },
  { name: 'a form without a boundary', sent: { headers: form }, code: 400, type: 'BadRequestException' },
  { name: 'a body that is no picture', sent: { payload: '{"data":1}' }, code: 422, type: 'BadRequestException' },
  { name: 'a GIF', sent: { payload: 'GIF89a' }, code: 415, type: 'BadRequestException' },
  {
    name: 'a compressed body',
    sent: { headers: { 'content-encoding': 'gzip' } },
    code: 415,
    type: 'BadRequestException',
  },
  { name: 'a body over the limit', sent: { payload: 'A'.repeat(100_001) }, code: 413, type: 'BadRequestException' },
  { name: 'an unknown model', sent: { url: '/predictions/nope' }, code: 404, type: 'ModelNotFoundException' },
  { name: 'an unknown version', sent: { url: '/predictions/fake/2' }, code: 404, type: 'ModelNotFoundException' },
  {
    name: 'a model without a classifier',
    sent: {},
    code: 404,
    type: 'ResourceNotFoundException',
    options: { models: [withoutClassifier()] },
  },
  { name: 'no model in the path', sent: { url: '/predictions' }, code: 404, type: 'ResourceNotFoundException' },
  { name: 'a wrong method', sent: { method: 'GET', payload: '' }, code: 405, type: 'MethodNotAllowedException' },
  { name: 'a missing key', sent: {}, code: 401, type: 'InvalidKeyException', options: { apiKeys: ['right'] } },
  { name: 'a full queue', sent: {}, code: 503, type: 'ServiceUnavailableException', options: failing('queue_full') },
  {
    name: 'a full queue, where overload is 429',
    sent: {},
    code: 429,
    type: 'ServiceUnavailableException',
    options: { ...failing('queue_full'), app: { overloadStatus: 429 } },
  },
  {
    name: 'a deadline that passed',
    sent: { method: 'PUT', headers: { 'x-request-timeout-ms': '0' } },
    code: 504,
    type: 'RequestTimeoutException',
  },
  {
    name: 'a model that fails',
    sent: {},
    code: 500,
    type: 'InternalServerException',
    options: failing('inference_failed'),
  },
]

describe('an error of /predictions', () => {
  it.each(ROWS)('is written as TorchServe’s: $name -> $code $type', async ({ sent, code, type, options }) => {
    const answer = await send(sent, options)
    expect(answer.statusCode).toBe(code)
    expect(answer.headers['content-type']).toBe('application/json; charset=utf-8')
    expect(answer.json()).toEqual({ code, type, message: expect.any(String) })
    if (code === 503) expect(answer.headers['retry-after']).toBe('7')
  })
})

describe('GET /ping', () => {
  it('says Healthy when requests are served, without a key', async () => {
    const { app } = await build({ apiKeys: ['right'] })
    const { status, body } = await request(app.server).get('/ping')
    expect([status, body]).toEqual([200, { status: 'Healthy' }])
  })

  it.each(['starting', 'draining', 'engine_unavailable'] as const)('says Unhealthy when %s', async (state) => {
    const { app } = await build({ services: { readiness: () => state } })
    const { status, body, headers } = await request(app.server).get('/ping')
    expect([status, body, headers['retry-after']]).toEqual([503, { status: 'Unhealthy' }, '1'])
  })

  it('refuses other methods as TorchServe does', async () => {
    const { app } = await build()
    const { status, body } = await request(app.server).post('/ping')
    expect([status, body.type]).toEqual([405, 'MethodNotAllowedException'])
  })
})

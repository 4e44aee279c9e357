import { describe, expect, it } from 'vitest'
import { ServeError } from '../../../src/errors.ts'
import type { Readiness } from '../../../src/routes/services.ts'
import { FakeModel, withoutClassifier } from '../../helpers/fake-model.ts'
import { input, openInferenceClient } from './client.ts'

const MODELS = [new FakeModel({ version: '2' }), new FakeModel({ version: '10' }), withoutClassifier({ name: 'other' })]

describe('the server', () => {
  it('names itself and the extensions that work', async () => {
    const { get } = await openInferenceClient()
    const { status, type, json } = await get('/v2')
    expect([status, type]).toEqual([200, 'application/json'])
    expect(json).toEqual({
      name: 'resnet-serve',
      version: expect.stringMatching(/^\d+\.\d+\.\d+/),
      extensions: [
        'binary_tensor_data',
        'classification',
        'model_configuration',
        'parameters',
        'schedule_policy',
        'statistics',
      ],
    })
  })

  it('is live and ready under both of the names that clients read', async () => {
    const { get } = await openInferenceClient()
    expect(await get('/v2/health/live')).toMatchObject({ status: 200, json: { live: true } })
    expect(await get('/v2/health/ready')).toMatchObject({ status: 200, json: { ready: true, live: true } })
  })

  it.each<Readiness>(['starting', 'draining', 'engine_unavailable'])(
    'is live but not ready while %s',
    async (state) => {
      const { get } = await openInferenceClient({ services: { readiness: () => state } })
      expect((await get('/v2/health/live')).status).toBe(200)
      for (const url of ['/v2/health/ready', '/v2/models/fake/ready']) {
        const { status, type, json } = await get(url)
        expect([status, type, json]).toEqual([503, 'application/json', { error: expect.any(String) }])
      }
    },
  )

  it('asks for a key, but not for its health', async () => {
    const { app } = await openInferenceClient({ apiKeys: ['secret'] })
    const status = async (url: string, headers = {}) => (await app.inject({ url, headers })).statusCode
    for (const url of ['/v2/health/live', '/v2/health/ready']) expect(await status(url)).toBe(200)
    for (const url of ['/v2', '/v2/models', '/v2/models/stats', '/v2/models/fake', '/v2/models/fake/config']) {
      expect(await status(url)).toBe(401)
      expect(await status(url, { authorization: 'Bearer secret' })).toBe(200)
    }
  })
})

describe('models', () => {
  it('are listed by name', async () => {
    const { get } = await openInferenceClient({ models: MODELS })
    expect((await get('/v2/models')).json).toEqual({ models: ['fake', 'other'] })
  })

  it.each(['/v2/models/fake', '/v2/models/fake/versions/2'])('have metadata at %s', async (url) => {
    const { get } = await openInferenceClient({ models: MODELS })
    expect((await get(url)).json).toEqual({
      name: 'fake',
      versions: ['2', '10'],
      platform: 'resnet-serve_onnx',
      inputs: [{ name: 'input', datatype: 'FP32', shape: [-1, 1, 2, 3] }],
      outputs: [
        { name: 'logits', datatype: 'FP32', shape: [-1, 3] },
        { name: 'probabilities', datatype: 'FP32', shape: [-1, 3] },
        { name: 'embedding', datatype: 'FP32', shape: [-1, 4] },
      ],
    })
  })

  it('without a classifier have an embedding alone', async () => {
    const { get } = await openInferenceClient({ models: MODELS })
    expect((await get('/v2/models/other')).json.outputs).toEqual([
      { name: 'embedding', datatype: 'FP32', shape: [-1, 4] },
    ])
  })

  it('have a configuration', async () => {
    const { get } = await openInferenceClient({ models: MODELS })
    for (const url of ['/v2/models/fake/config', '/v2/models/fake/versions/2/config']) {
      expect((await get(url)).json).toEqual({
        name: 'fake',
        platform: 'resnet-serve_onnx',
        backend: 'resnet-serve',
        max_batch_size: 32,
        input: [{ name: 'input', data_type: 'TYPE_FP32', format: 'FORMAT_NCHW', dims: [1, 2, 3] }],
        output: [
          { name: 'logits', data_type: 'TYPE_FP32', dims: [3] },
          { name: 'probabilities', data_type: 'TYPE_FP32', dims: [3] },
          { name: 'embedding', data_type: 'TYPE_FP32', dims: [4] },
        ],
        dynamic_batching: {},
      })
    }
  })

  it('are ready', async () => {
    const { get } = await openInferenceClient({ models: MODELS })
    for (const url of ['/v2/models/fake/ready', '/v2/models/fake/versions/2/ready']) {
      expect(await get(url)).toMatchObject({ status: 200, json: { name: 'fake', ready: true } })
    }
  })

  it.each(['', '/ready', '/config', '/stats'])('that are not there are 404: {model}%s', async (path) => {
    const { get } = await openInferenceClient()
    for (const url of [`/v2/models/nope${path}`, `/v2/models/fake/versions/9${path}`]) {
      const { status, type, json } = await get(url)
      expect([status, type]).toEqual([404, 'application/json'])
      expect(json).toEqual({ error: expect.stringMatching(/^(no model nope|model fake has no version 9)$/) })
    }
  })
})

describe('statistics', () => {
  it('count requests, inputs, failures and what they took, by version', async () => {
    const models = [new FakeModel({ version: '1' }), new FakeModel({ version: '2' })]
    const { infer, get } = await openInferenceClient({ models })
    const data = Array.from({ length: 18 }, (_, i) => i)
    await infer({ inputs: [input({ shape: [3, 1, 2, 3], data })] })
    await infer({ inputs: [input()] })
    const [, second] = models as [FakeModel, FakeModel]
    second.respond = async () => {
      throw new ServeError('inference_failed', 'acted out')
    }
    await infer({ inputs: [input()] })

    const [one, two] = (await get('/v2/models/fake/stats')).json.model_stats
    expect(one).toMatchObject({ name: 'fake', version: '1', inference_count: 0, last_inference: 0 })
    expect(two).toMatchObject({
      version: '2',
      inference_count: 4,
      inference_stats: {
        success: { count: 2 },
        fail: { count: 1 },
        queue: { count: 2, ns: 4_000_000 },
        compute_input: { count: 2 },
        compute_infer: { count: 2, ns: 6_000_000 },
        compute_output: { count: 2, ns: 0 },
        cache_hit: { count: 0, ns: 0 },
      },
    })
    expect(two.last_inference).toBeGreaterThan(0)
    expect((await get('/v2/models/fake/versions/2/stats')).json.model_stats).toEqual([two])
    expect((await get('/v2/models/stats')).json.model_stats).toEqual([one, two])
  })

  it('count other protocols too, and cache hits apart', async () => {
    const { app, get, model } = await openInferenceClient()
    const payload = {
      inputs: [
        {
          tensor: [
            [1, 2, 3],
            [4, 5, 6],
          ],
        },
      ],
    }
    await app.inject({ method: 'POST', url: '/embed', payload })
    const { respond } = model
    model.respond = async (...args) =>
      (await respond(...args)).map((each) => ({ ...each, cached: true }) as typeof each)
    await app.inject({ method: 'POST', url: '/embed', payload })
    // One of two is in the cache: one is computed.
    model.respond = async (...args) =>
      (await respond(...args)).map((each, i) => ({ ...each, cached: i === 0 }) as typeof each)
    await app.inject({ method: 'POST', url: '/embed', payload: { inputs: [payload.inputs[0], payload.inputs[0]] } })
    const [stats] = (await get('/v2/models/stats')).json.model_stats
    expect(stats.inference_count).toBe(2)
    expect(stats.inference_stats).toMatchObject({ success: { count: 3 }, queue: { count: 2 }, cache_hit: { count: 1 } })
  })

  it('have each size of batch', async () => {
    const { get, model } = await openInferenceClient()
    for (const size of [8, 1, 8]) model.statistics.observeBatch(size, 2)
    const [stats] = (await get('/v2/models/stats')).json.model_stats
    expect(stats.execution_count).toBe(3)
    expect(stats.batch_stats).toMatchObject([
      { batch_size: 1, compute_infer: { count: 1, ns: 2_000_000 } },
      { batch_size: 8, compute_infer: { count: 2, ns: 4_000_000 } },
    ])
  })
})

import request from 'supertest'
import { describe, expect, it } from 'vitest'
import { build } from '../helpers/build.ts'
import { FakeModel, fakeManifest, withoutClassifier } from '../helpers/fake-model.ts'

describe('GET /info', () => {
  it('says what is served, by which engine, and why not by a better one', async () => {
    const { app } = await build()
    const { body } = await request(app.server).get('/info')
    expect(body).toMatchObject({
      name: 'resnet-serve',
      status: 'ready',
      default_model: 'fake',
      engine: { name: 'onnx', version: '0', passed_over: [{ engine: 'cuda', reason: 'no GPU' }] },
      limits: { max_body_bytes: 100_000, max_inputs: 8, request_timeout_ms: 10_000 },
    })
    expect(body.models).toHaveLength(1)
    expect(body.models[0]).toMatchObject({
      name: 'fake',
      version: '1',
      precision: 'fp32',
      precision_reason: 'the model has no scales',
      labels: ['zero', 'one', 'two'],
    })
    expect(body.models[0].architecture).toMatchObject({ num_classes: 3, embedding_size: 4 })
  })

  it('describes a model in full, under the names that model.json has', async () => {
    const { app, model } = await build()
    const { body } = await request(app.server).get('/info')
    expect(body.models[0]).toMatchObject({
      max_batch_size: model.maxBatchSize,
      architecture: {
        block: 'basic',
        layers: [1],
        planes: [1],
        shortcut: 'projection',
        in_channels: 1,
        embedding_size: 4,
        num_classes: 3,
      },
      input: { height: 2, width: 3, channels: 'grey', mean: [0], std: [1], invert: 'never', fit: 'fill', ink_size: 1 },
      embedding_size: 4,
      embedding_space: '0123456789abcdef',
      num_classes: 3,
      activation: 'softmax',
    })
  })

  it('shows whatever fields architecture and input have, nested ones too', async () => {
    const { architecture, input } = fakeManifest()
    const stem = { convs: [{ out: 64, kernel: 7, stride: 2 }], maxPool: true }
    const model = new FakeModel({
      architecture: { ...architecture, stem } as typeof architecture,
      input: { ...input, std: [0.5, 0.25, 1] } as unknown as typeof input,
    })
    const { app } = await build({ models: [model] })
    const { body } = await request(app.server).get('/info')
    const [{ architecture: shown, input: shownInput }] = body.models
    expect(shown.stem).toEqual({ convs: [{ out: 64, kernel: 7, stride: 2 }], max_pool: true })
    expect(shownInput.std).toEqual([0.5, 0.25, 1])
  })

  it('says that a model without a classifier has no classes', async () => {
    const { app } = await build({ models: [withoutClassifier()] })
    const { body } = await request(app.server).get('/info')
    expect(body.models[0]).toMatchObject({ num_classes: 0, labels: [], embedding_size: 4 })
  })

  it('names each GPU, its driver and its memory', async () => {
    const facts = { index: 0, name: 'NVIDIA L4', driver: '570.86.15', memory_total_mb: 23_034 }
    const { app } = await build({ services: { gpus: () => [{ ...facts, memory_used_mb: 4 }] } })
    // No use of memory: it is that of the start, and would be taken for the present one.
    expect((await request(app.server).get('/info')).body.gpus).toEqual([facts])
  })

  it('answers before an engine has been opened', async () => {
    const { app } = await build({ services: { engine: () => undefined, readiness: () => 'starting' } })
    expect((await request(app.server).get('/info')).body).toMatchObject({ status: 'starting', engine: null })
  })
})

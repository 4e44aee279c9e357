import { describe, expect, it } from 'vitest'
import { FakeModel, fakeManifest, PHOTOGRAPH_INPUT, withoutClassifier } from '../../helpers/fake-model.ts'
import { greyPng } from '../../helpers/pictures.ts'
import { input, openInferenceClient } from './client.ts'

const PROBABILITIES = [0.09003057, 0.24472848, 0.66524094]

describe('an answer', () => {
  it('has the model, the id and every output that the model has', async () => {
    const { infer } = await openInferenceClient()
    const { status, type, headers, json } = await infer({ id: 'request-7', inputs: [input()] })
    expect([status, type]).toEqual([200, 'application/json'])
    expect(headers).toMatchObject({
      'x-embedding-space': '0123456789abcdef',
      'server-timing': expect.stringMatching(/batch;desc="16"/),
    })
    expect(json).toEqual({
      model_name: 'fake',
      model_version: '1',
      id: 'request-7',
      outputs: [
        { name: 'logits', datatype: 'FP32', shape: [1, 3], data: [1, 2, 3] },
        { name: 'probabilities', datatype: 'FP32', shape: [1, 3], data: PROBABILITIES },
        { name: 'embedding', datatype: 'FP32', shape: [1, 4], data: [3, 4, 5, 6] },
      ],
    })
  })

  it('has no id where none was sent', async () => {
    const { infer } = await openInferenceClient()
    expect((await infer({ inputs: [input()] })).json).not.toHaveProperty('id')
  })

  it('has the outputs that were asked for, in that order', async () => {
    const { infer } = await openInferenceClient()
    const { json } = await infer({ inputs: [input()], outputs: [{ name: 'embedding' }, { name: 'logits' }] })
    expect(json.outputs.map(({ name }) => name)).toEqual(['embedding', 'logits'])
  })

  it('has an embedding alone where the model has no classifier', async () => {
    const { infer } = await openInferenceClient({ models: [withoutClassifier()] })
    const { json } = await infer({ inputs: [input()] })
    expect(json.outputs).toEqual([{ name: 'embedding', datatype: 'FP32', shape: [1, 4], data: [3, 4, 5, 6] }])
  })

  it('is of the version in the path, and of the highest without one', async () => {
    const { infer } = await openInferenceClient({
      models: ['1', '2', '10'].map((version) => new FakeModel({ version })),
    })
    expect((await infer({ inputs: [input()] })).json.model_version).toBe('10')
    expect((await infer({ inputs: [input()] }, '/v2/models/fake/versions/2/infer')).json.model_version).toBe('2')
  })

  it('prints numbers as the shortest float32', async () => {
    const { infer } = await openInferenceClient()
    const data = [0.1, 1e-7, 3, 0.30000001192092896, 5, 6]
    const { json } = await infer({ inputs: [input({ data })], outputs: [{ name: 'logits' }] })
    expect(json.outputs[0]?.data).toEqual([0.1, 1e-7, 3])
  })
})

describe('classification', () => {
  const classes = (name: string, classification: number, shape = [1, 1, 2, 3], data = [1, 3, 2, 0, 0, 0]) => ({
    inputs: [input({ shape, data })],
    outputs: [{ name, parameters: { classification } }],
  })

  it('gives the likeliest classes as value:index:label', async () => {
    const { infer } = await openInferenceClient()
    const { json } = await infer(classes('logits', 2))
    expect(json.outputs).toEqual([{ name: 'logits', datatype: 'BYTES', shape: [1, 2], data: ['3:1:one', '2:2:two'] }])
    const { json: probabilities } = await infer(classes('probabilities', 1))
    expect(probabilities.outputs[0]?.data).toEqual(['0.66524094:1:one'])
  })

  it('gives a row for each input, and no more classes than there are', async () => {
    const { infer } = await openInferenceClient()
    const { json } = await infer(classes('logits', 9, [2, 1, 2, 3], [1, 3, 2, 0, 0, 0, 7, 8, 9, 0, 0, 0]))
    expect(json.outputs[0]).toMatchObject({
      shape: [2, 3],
      data: ['3:1:one', '2:2:two', '1:0:zero', '9:2:two', '8:1:one', '7:0:zero'],
    })
  })

  it('of 0 classes asks for the values', async () => {
    const { infer } = await openInferenceClient()
    expect((await infer(classes('logits', 0))).json.outputs[0]).toMatchObject({ datatype: 'FP32', data: [1, 3, 2] })
  })
})

describe('an input', () => {
  const logitsOf = async (tensor: object, model = new FakeModel()) => {
    const { infer } = await openInferenceClient({ models: [model] })
    const { json } = await infer({ inputs: [tensor], outputs: [{ name: 'logits' }] })
    return json.outputs?.[0]?.data ?? json.error
  }

  it.each([
    ['flat', [1, 2, 3, 4, 5, 6]],
    [
      'nested',
      [
        [
          [
            [1, 2, 3],
            [4, 5, 6],
          ],
        ],
      ],
    ],
    [
      'nested in part',
      [
        [1, 2, 3],
        [4, 5, 6],
      ],
    ],
  ])('may be %s', async (_, data) => {
    expect(await logitsOf(input({ data }))).toEqual([1, 2, 3])
  })

  it('of several pictures has a row of results for each, in their order', async () => {
    const { infer } = await openInferenceClient()
    const data = [1, 2, 3, 4, 5, 6, 11, 12, 13, 14, 15, 16]
    const { json } = await infer({ inputs: [input({ shape: [2, 1, 2, 3], data })] })
    expect(json.outputs[0]).toMatchObject({ shape: [2, 3], data: [1, 2, 3, 11, 12, 13] })
    expect(json.outputs[2]).toMatchObject({ shape: [2, 4], data: [3, 4, 5, 6, 13, 14, 15, 16] })
  })

  it('may be FP16', async () => {
    expect(await logitsOf(input({ datatype: 'FP16', data: [0.5, -2, 3, 4, 5, 6] }))).toEqual([0.5, -2, 3])
  })

  it('of UINT8 is pixels, which are normalised by channel', async () => {
    const spec = { ...PHOTOGRAPH_INPUT, mean: [0.5, 0, 0], std: [0.5, 1, 2] }
    const model = new FakeModel({ input: spec })
    const pixels = [0, 51, 255, 0, 0, 0, 255, 51, 0, 0, 0, 0, 0, 255, 51, 0, 0, 0]
    expect(await logitsOf(input({ datatype: 'UINT8', shape: [1, 3, 2, 3], data: pixels }), model)).toEqual([
      -1, -0.6, 1,
    ])
    const [seen] = model.calls[0]?.inputs ?? []
    expect([seen?.[6], seen?.[7], seen?.[13], seen?.[14]]).toEqual([1, Math.fround(0.2), 0.5, Math.fround(0.1)])
  })

  it.each([[[2]], [[2, 1]]])('of BYTES is images, in base64, of shape %j', async (shape) => {
    const { infer, model } = await openInferenceClient()
    const pictures = await Promise.all([greyPng(0), greyPng(255)])
    const data = pictures.map((png) => png.toString('base64'))
    const { status, json } = await infer({ inputs: [input({ datatype: 'BYTES', shape, data })] })
    expect([status, json.outputs[0]?.shape]).toEqual([200, [2, 3]])
    expect(model.calls[0]?.inputs.map(([first]) => first)).toEqual([0, 1])
  })
})

describe('parameters', () => {
  const send = async (parameters: object) => {
    const { infer, model, services } = await openInferenceClient()
    const before = services.clock.now()
    const answer = await infer({ inputs: [input()], parameters })
    const { deadline = Number.NaN, priority } = model.calls[0]?.options ?? {}
    return { ...answer, left: deadline - before, priority }
  }

  it('timeout shortens the deadline, in microseconds, and never extends it', async () => {
    expect((await send({ timeout: 5_000_000 })).left).toBeLessThan(9000)
    expect((await send({ timeout: 5_000_000 })).left).toBeGreaterThan(4999)
    for (const timeout of [0, 3_600_000_000]) expect((await send({ timeout })).left).toBeGreaterThan(9999)
  })

  it('a timeout that has passed is answered with 504 and never computed', async () => {
    const { status, json } = await send({ timeout: 1 })
    expect([status, json.error]).toEqual([504, expect.stringContaining('deadline')])
  })

  it.each([
    [undefined, 'normal'],
    [0, 'normal'],
    [1, 'normal'],
    [2, 'low'],
    [1000, 'low'],
  ])('priority %s is %s', async (priority, expected) => {
    expect((await send({ priority })).priority).toBe(expected)
  })

  it('of other names are passed over', async () => {
    expect((await send({ sequence_id: 7, anything: { at: ['all'] } })).status).toBe(200)
  })
})

it('reads a model of three channels in its own order', async () => {
  const architecture = { ...fakeManifest().architecture, inChannels: 3 }
  const model = new FakeModel({ architecture, input: { ...PHOTOGRAPH_INPUT, channels: 'bgr' } })
  const { infer } = await openInferenceClient({ models: [model] })
  const data = Array.from({ length: 18 }, (_, i) => i)
  await infer({ inputs: [input({ shape: [1, 3, 2, 3], data })] })
  expect(model.calls[0]?.inputs[0]).toEqual(Float32Array.from(data))
})

import { status } from '@grpc/grpc-js'
import { describe, expect, it } from 'vitest'
import { ERROR_CODES, type ErrorCode, ServeError } from '../../../src/errors.ts'
import { version } from '../../../src/routes/info.ts'
import { FakeModel, withoutClassifier } from '../../helpers/fake-model.ts'
import { buildGrpc, type Fields } from '../../helpers/grpc.ts'
import { floats, greyPng } from '../../helpers/pictures.ts'

/** Two inputs of a fake model, one channel of 2 x 3. */
const VALUES = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]
const TENSOR = { name: 'input', datatype: 'FP32', shape: [2, 1, 2, 3] }
const RAW: Fields = { model_name: 'fake', inputs: [TENSOR], raw_input_contents: [floats(...VALUES)] }
const TYPED: Fields = { model_name: 'fake', inputs: [{ ...TENSOR, contents: { fp32_contents: VALUES } }] }

const floatsIn = (bytes: unknown): number[] => {
  const copy = Uint8Array.from(bytes as Buffer)
  return [...new Float32Array(copy.buffer)]
}

describe('what a server says of itself over gRPC', () => {
  it('is whether it lives and is ready', async () => {
    let readiness: 'ready' | 'draining' = 'ready'
    const { client } = await buildGrpc({ services: { readiness: () => readiness } })
    const answers = async () =>
      Promise.all([
        client.call('ServerLive'),
        client.call('ServerReady'),
        client.call('ModelReady', { name: 'fake' }),
        client.call('ModelReady', { name: 'fake', version: '1' }),
        client.call('ModelReady', { name: 'fake', version: '2' }),
        client.call('ModelReady', { name: 'cats' }),
      ]).then((all) => all.map(({ message }) => message.live ?? message.ready))
    expect(await answers()).toEqual([true, true, true, true, false, false])
    readiness = 'draining'
    expect(await answers()).toEqual([true, false, false, false, false, false])
  })

  it('is its name, its version and what of the protocol it has', async () => {
    const { client } = await buildGrpc()
    const { message } = await client.call('ServerMetadata')
    expect(message).toMatchObject({ name: 'resnet-serve', version })
    expect(message.extensions).toContain('model_configuration')
  })

  it('is a model’s tensors and its configuration', async () => {
    const { client } = await buildGrpc()
    expect((await client.call('ModelMetadata', { name: 'fake' })).message).toEqual({
      name: 'fake',
      versions: ['1'],
      platform: 'resnet-serve_onnx',
      inputs: [{ name: 'input', datatype: 'FP32', shape: [-1, 1, 2, 3] }],
      outputs: [
        { name: 'logits', datatype: 'FP32', shape: [-1, 3] },
        { name: 'probabilities', datatype: 'FP32', shape: [-1, 3] },
        { name: 'embedding', datatype: 'FP32', shape: [-1, 4] },
      ],
    })
    const { config } = (await client.call('ModelConfig', { name: 'fake', version: '1' })).message
    expect(config).toMatchObject({
      name: 'fake',
      max_batch_size: 32,
      input: [{ name: 'input', data_type: 'TYPE_FP32', format: 'FORMAT_NCHW', dims: [1, 2, 3] }],
      output: [{ name: 'logits' }, { name: 'probabilities' }, { name: 'embedding', data_type: 'TYPE_FP32', dims: [4] }],
      dynamic_batching: {},
    })
  })

  it('is what it serves, and what that has done: of one version, of one name, of all', async () => {
    const models = [new FakeModel(), new FakeModel({ version: '2' }), new FakeModel({ name: 'other' })]
    const { client } = await buildGrpc({ models })
    const { message } = await client.call('RepositoryIndex')
    expect(message.models).toEqual([
      { name: 'fake', version: '1', state: 'READY', reason: '' },
      { name: 'fake', version: '2', state: 'READY', reason: '' },
      { name: 'other', version: '1', state: 'READY', reason: '' },
    ])
    await client.call('ModelInfer', { ...RAW, model_version: '2' })
    const statistics = async (request: Fields) =>
      ((await client.call('ModelStatistics', request)).message.model_stats as Fields[]).map(
        ({ name, version, inference_count }) => [name, version, inference_count],
      )
    expect(await statistics({ name: 'fake', version: '2' })).toEqual([['fake', '2', 2]])
    expect(await statistics({ name: 'fake' })).toEqual([
      ['fake', '1', 0],
      ['fake', '2', 2],
    ])
    expect(await statistics({})).toHaveLength(3)
    expect((await client.call('ModelStatistics', { name: 'cats' })).error?.code).toBe(status.NOT_FOUND)
  })

  it.each(['ModelStreamInfer', 'RepositoryModelLoad', 'SystemSharedMemoryStatus', 'Nothing'])(
    'is UNIMPLEMENTED of %s',
    async (method) => {
      const { client } = await buildGrpc()
      const { error } = await client.send(`/inference.GRPCInferenceService/${method}`, Buffer.alloc(0))
      expect(error?.code).toBe(status.UNIMPLEMENTED)
    },
  )
})

describe('ModelInfer', () => {
  it('answers raw contents with raw contents', async () => {
    const { client, model } = await buildGrpc()
    const { message } = await client.call('ModelInfer', { ...RAW, id: 'a1' })
    expect(message).toMatchObject({ model_name: 'fake', model_version: '1', id: 'a1' })
    expect(message.outputs).toMatchObject([
      { name: 'logits', datatype: 'FP32', shape: [2, 3] },
      { name: 'probabilities', datatype: 'FP32', shape: [2, 3] },
      { name: 'embedding', datatype: 'FP32', shape: [2, 4] },
    ])
    const [logits, , embedding] = (message.raw_output_contents as unknown[]).map(floatsIn)
    expect(logits).toEqual([1, 2, 3, 7, 8, 9])
    expect(embedding).toEqual([3, 4, 5, 6, 9, 10, 11, 12])
    expect(model.calls).toHaveLength(1)
  })

  it('answers typed contents with typed contents, of the same values', async () => {
    const { client } = await buildGrpc()
    const { message } = await client.call('ModelInfer', TYPED)
    expect(message.raw_output_contents).toEqual([])
    const [logits, probabilities, embedding] = (message.outputs as Fields[]).map(
      ({ contents }) => (contents as Fields).fp32_contents,
    )
    expect(logits).toEqual([1, 2, 3, 7, 8, 9])
    expect(embedding).toEqual([3, 4, 5, 6, 9, 10, 11, 12])
    const raw = (await client.call('ModelInfer', RAW)).message.raw_output_contents as unknown[]
    expect(probabilities).toEqual(floatsIn(raw[1]))
  })

  it('takes pixels and pictures, raw and typed, as HTTP takes them', async () => {
    const { client, model } = await buildGrpc()
    const png = await greyPng(200)
    const pixels = Array.from({ length: 6 }, (_, i) => i)
    const length = Buffer.alloc(4)
    length.writeUInt32LE(png.length)
    const inputs = [
      { datatype: 'UINT8', shape: [1, 1, 2, 3], raw: Buffer.from(pixels), contents: { uint_contents: pixels } },
      { datatype: 'BYTES', shape: [1], raw: Buffer.concat([length, png]), contents: { bytes_contents: [png] } },
    ]
    for (const { datatype, shape, raw, contents } of inputs) {
      const tensor = { name: 'input', datatype, shape }
      const answers = await Promise.all([
        client.call('ModelInfer', { model_name: 'fake', inputs: [tensor], raw_input_contents: [raw] }),
        client.call('ModelInfer', { model_name: 'fake', inputs: [{ ...tensor, contents }] }),
      ])
      expect(answers.map(({ error }) => error)).toEqual([undefined, undefined])
      const [first, second] = model.calls.splice(0)
      expect(first?.inputs).toEqual(second?.inputs)
    }
  })

  it('gives the outputs that are asked for, and classes in the form value:index:label', async () => {
    const { client } = await buildGrpc()
    const outputs = [{ name: 'embedding' }, { name: 'logits', parameters: { classification: { int64_param: 2 } } }]
    const raw = (await client.call('ModelInfer', { ...RAW, outputs })).message
    expect(raw.outputs).toMatchObject([
      { name: 'embedding', shape: [2, 4] },
      { name: 'logits', datatype: 'BYTES', shape: [2, 2] },
    ])
    const bytes = (raw.raw_output_contents as Buffer[])[1] as Buffer
    const length = bytes.readUInt32LE(0)
    expect(bytes.toString('utf8', 4, 4 + length)).toBe('3:2:two')
    const typed = (await client.call('ModelInfer', { ...TYPED, outputs })).message
    const { contents } = (typed.outputs as Fields[])[1] as { contents: { bytes_contents: Buffer[] } }
    expect(contents.bytes_contents.map(String)).toEqual(['3:2:two', '2:1:one', '9:2:two', '8:1:one'])
  })

  it('hands on timeout and priority of the parameters', async () => {
    const { client, model, services } = await buildGrpc()
    await client.call('ModelInfer', {
      ...RAW,
      parameters: { timeout: { int64_param: 5_000_000 }, priority: { uint64_param: 2 } },
    })
    const { priority, deadline } = model.calls[0]?.options ?? {}
    expect(priority).toBe('low')
    expect(deadline).toBeLessThanOrEqual(services.clock.now() + 5000)
  })

  const wrong: [name: string, request: Fields, code: status, says: RegExp][] = [
    ['no input', { model_name: 'fake' }, status.INVALID_ARGUMENT, /no input "input"/],
    ['another model', { ...RAW, model_name: 'cats' }, status.NOT_FOUND, /no model cats/],
    ['no model’s name', { ...RAW, model_name: '' }, status.NOT_FOUND, /no model/],
    ['another version', { ...RAW, model_version: '9' }, status.NOT_FOUND, /no version 9/],
    ['another input', { ...RAW, inputs: [{ ...TENSOR, name: 'x' }] }, status.INVALID_ARGUMENT, /called "input"/],
    [
      'a type that is none of ours',
      { ...RAW, inputs: [{ ...TENSOR, datatype: 'INT64' }] },
      status.INVALID_ARGUMENT,
      /INT64/,
    ],
    ['another shape', { ...RAW, inputs: [{ ...TENSOR, shape: [2, 3] }] }, status.INVALID_ARGUMENT, /shape/],
    ['a negative shape', { ...RAW, inputs: [{ ...TENSOR, shape: [-1, 1, 2, 3] }] }, status.INVALID_ARGUMENT, /shape/],
    ['too few bytes', { ...RAW, raw_input_contents: [floats(1)] }, status.INVALID_ARGUMENT, /48 bytes; there are 4/],
    ['too many raw contents', { ...RAW, raw_input_contents: [floats(1), floats(1)] }, status.INVALID_ARGUMENT, /2 raw/],
    ['contents of both kinds', { ...TYPED, raw_input_contents: [floats(1)] }, status.INVALID_ARGUMENT, /send one/],
    ['no contents', { ...RAW, raw_input_contents: [] }, status.INVALID_ARGUMENT, /no data/],
    ['an unknown output', { ...RAW, outputs: [{ name: 'x' }] }, status.INVALID_ARGUMENT, /no output "x"/],
    [
      'NaN',
      { ...RAW, raw_input_contents: [floats(...VALUES.slice(1), Number.NaN)] },
      status.INVALID_ARGUMENT,
      /input 1: /,
    ],
    [
      'a picture that is none',
      {
        model_name: 'fake',
        inputs: [{ name: 'input', datatype: 'BYTES', shape: [1], contents: { bytes_contents: [Buffer.from('x')] } }],
      },
      status.INVALID_ARGUMENT,
      /input 0: /,
    ],
    [
      'too many inputs',
      { ...RAW, inputs: [{ ...TENSOR, shape: [9, 1, 2, 3] }] },
      status.INVALID_ARGUMENT,
      /more than 8/,
    ],
    // Cut where the sentence is too long, which is amid a surrogate pair.
    ['a very long name', { ...RAW, model_name: '😀'.repeat(600) }, status.NOT_FOUND, /^no model (😀){495}\ufffd$/u],
    [
      'text as a number',
      { ...RAW, parameters: { timeout: { string_param: '1' } } },
      status.INVALID_ARGUMENT,
      /timeout must be/,
    ],
    [
      'more values than JSON may have',
      { ...TYPED, inputs: [{ ...TENSOR, contents: { fp32_contents: new Array(2001).fill(0) } }] },
      status.INVALID_ARGUMENT,
      /2000 values; send tensors as raw/,
    ],
    [
      'a thousand empty elements',
      { ...RAW, raw_input_contents: new Array(1000).fill(Buffer.alloc(0)) },
      status.INVALID_ARGUMENT,
      /2000 values/,
    ],
  ]
  it.each(wrong)('refuses %s', async (_name, request, code, says) => {
    const { client } = await buildGrpc()
    const { error, trailers } = await client.call('ModelInfer', request)
    expect([error?.code, error?.details]).toEqual([code, expect.stringMatching(says)])
    expect(ERROR_CODES).toContain(trailers['error-code'])
    expect((await client.call('ModelInfer', RAW)).error).toBeUndefined()
  })

  it.each<[string, Buffer]>([
    ['bytes that are no message', Buffer.from('hello')],
    ['a message cut short', Buffer.from([0x0a, 0x05, 0x66])],
    ['a field longer than its message', Buffer.from([0x2a, 0x02, 0x0a, 0x7f])],
    ['a wire type that is none', Buffer.from([0x0f])],
    ['a group without an end', Buffer.from([0x0b])],
  ])('says of %s that it cannot be read', async (_name, bytes) => {
    const { client } = await buildGrpc()
    const { error, trailers } = await client.send('/inference.GRPCInferenceService/ModelInfer', bytes)
    expect([error?.code, trailers['error-code']]).toEqual([status.INVALID_ARGUMENT, 'malformed_body'])
  })

  it('passes over fields that it does not know', async () => {
    const { client } = await buildGrpc()
    const { error } = await client.send(
      '/inference.GRPCInferenceService/ServerLive',
      Buffer.from([0xfa, 0x7f, 0x01, 0x00]),
    )
    expect(error).toBeUndefined()
  })

  it('has a model without a classifier, which gives an embedding', async () => {
    const { client } = await buildGrpc({ models: [withoutClassifier()] })
    const { message } = await client.call('ModelInfer', RAW)
    expect((message.outputs as Fields[]).map(({ name }) => name)).toEqual(['embedding'])
  })

  it.each<[ErrorCode, status]>([
    ['queue_full', status.RESOURCE_EXHAUSTED],
    ['deadline_unreachable', status.RESOURCE_EXHAUSTED],
    ['overloaded', status.RESOURCE_EXHAUSTED],
    ['draining', status.UNAVAILABLE],
    ['engine_unavailable', status.UNAVAILABLE],
    ['deadline_exceeded', status.DEADLINE_EXCEEDED],
    ['inference_failed', status.INTERNAL],
  ])('ends with the status of %s', async (code, expected) => {
    const { client } = await buildGrpc({
      services: { refusal: () => new ServeError(code, 'acted out', { retryAfterS: 3 }) },
    })
    const { error, trailers } = await client.call('ModelInfer', RAW, { metadata: { 'x-request-id': 'mine' } })
    expect([error?.code, error?.details]).toEqual([expected, 'acted out'])
    expect(trailers).toMatchObject({ 'error-code': code, 'grpc-retry-pushback-ms': '3000', 'x-request-id': 'mine' })
  })

  it('hides what it does not know of a failure', async () => {
    const { client, model } = await buildGrpc()
    model.respond = async () => {
      throw new Error('secret')
    }
    const { error } = await client.call('ModelInfer', RAW)
    expect([error?.code, error?.details]).toEqual([status.INTERNAL, 'something went wrong on the server'])
  })
})

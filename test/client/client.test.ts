import { describe, expect, it, vi } from 'vitest'
import { type Info, ResnetClient, ResnetServeError } from '../../src/client/index.ts'
import { ServeError } from '../../src/errors.ts'
import { FakeClock } from '../helpers/fake-clock.ts'
import { FakeModel, withoutClassifier } from '../helpers/fake-model.ts'
import { greyPng } from '../helpers/pictures.ts'
import { listening, tensor } from './listening.ts'

const GREY = 3 * 17

describe('an answer', () => {
  it('of classify has the likeliest class, and the ranking', async () => {
    const { client } = await listening()
    const { model, results, embeddingSpace, requestId } = await client.classify(tensor(0, 5, 1), { topK: 2 })
    expect(model).toEqual({ name: 'fake', version: '1' })
    expect(embeddingSpace).toBe('0123456789abcdef')
    expect(requestId).toMatch(/./)
    expect(results).toEqual([
      {
        label: 'one',
        classId: 1,
        probability: expect.closeTo(0.976, 3),
        top: [expect.objectContaining({ classId: 1 }), expect.objectContaining({ label: 'two', classId: 2 })],
      },
    ])
  })

  it('holds vectors as Float32Array, exact to the bit, and what was asked for alone', async () => {
    const { client } = await listening()
    const { results } = await client.classify(tensor(0.1, 1 / 3, 1e-30, 4, 5, 6), { include: ['logits', 'embedding'] })
    expect(results[0]).toEqual({
      label: 'one',
      classId: 1,
      probability: expect.any(Number),
      logits: Float32Array.of(0.1, 1 / 3, 1e-30),
      embedding: Float32Array.of(1e-30, 4, 5, 6),
    })
  })

  it.each([
    ['raw float32 where embeddings alone are asked for', {}, 'application/octet-stream'],
    ['base64 with logits', { include: ['embedding', 'logits'] as const }, 'application/json; charset=utf-8'],
    ['base64 with partial', { partial: true }, 'application/json; charset=utf-8'],
  ])('of embed comes as %s', async (_, options, type) => {
    const types: unknown[] = []
    const watched: typeof fetch = async (...request) => {
      const response = await fetch(...request)
      types.push(response.headers.get('content-type'))
      return response
    }
    const { client } = await listening({}, { fetch: watched })
    const { dimensions, results, embeddingSpace } = await client.embed(
      [tensor(0, 0, 0.1, 2), tensor(9, 9, 9, 9, 9, 9)],
      options,
    )
    expect(dimensions).toBe(4)
    expect(embeddingSpace).toBe('0123456789abcdef')
    expect(results.map((result) => 'embedding' in result && result.embedding)).toEqual([
      Float32Array.of(0.1, 2, 0, 0),
      Float32Array.of(9, 9, 9, 9),
    ])
    expect(types).toEqual([type])
  })

  it('can be scaled to length 1', async () => {
    const { client } = await listening()
    const { results } = await client.embed(tensor(0, 0, 3, 4), { normalize: true })
    expect(results[0]?.embedding).toEqual(Float32Array.of(0.6, 0.8, 0, 0))
  })

  it('has the error of each failed input in its place, where partial is asked for', async () => {
    const { client } = await listening()
    const { results } = await client.embed([await greyPng(GREY), new Uint8Array([1, 2]), await greyPng(GREY)], {
      partial: true,
    })
    expect(results.map(({ error }) => error?.code)).toEqual([undefined, 'undecodable_image', undefined])
    expect(results[1]?.error).toBeInstanceOf(ResnetServeError)
    expect(results[1]?.error?.index).toBe(1)
  })
})

describe('inputs', () => {
  it.each([1, 2])('are pictures in every form, %i in a request', async (count) => {
    const { client } = await listening()
    const png = await greyPng(GREY)
    const forms = { png, blob: new Blob([new Uint8Array(png)]), buffer: new Uint8Array(png).buffer }
    for (const picture of Object.values(forms)) {
      const { results } = await client.embed(Array.from({ length: count }, () => picture))
      const grey = Math.fround(0.2)
      expect(results).toEqual(
        Array.from({ length: count }, () => ({ embedding: Float32Array.of(grey, grey, grey, grey) })),
      )
    }
  })

  it.each([
    ['gif', new TextEncoder().encode('GIF89a..........'), 'unsupported_image_format'],
    ['empty', new Uint8Array(), 'undecodable_image'],
    ['empty blob', new Blob([]), 'undecodable_image'],
  ])('that are no picture (%s) are refused for what they are', async (_, input, code) => {
    const { client } = await listening()
    await expect(client.classify(input)).rejects.toMatchObject({ code, index: 0 })
  })

  it('may be part of a larger buffer', async () => {
    const { client } = await listening()
    const values = Float32Array.of(7, 0, 0, 1, 2, 3, 4, 7)
    const { results } = await client.embed({ tensor: values.subarray(1, 7) })
    expect(results[0]?.embedding).toEqual(Float32Array.of(1, 2, 3, 4))
  })

  it('of one request are of one kind', async () => {
    const { client } = await listening()
    for (const mixed of [[], [tensor(1), new Uint8Array([1])], [tensor(1), { tensor: new Float32Array(5) }]]) {
      await expect(client.embed(mixed)).rejects.toThrow(TypeError)
    }
  })

  it.each([{}, { partial: true }])('of twice the length are not taken for two (%o)', async (options) => {
    const { client } = await listening()
    const asked = client.embed({ tensor: new Float32Array(12) }, options)
    await expect(asked).rejects.toMatchObject({ code: 'invalid_answer', detail: expect.stringContaining('tensor') })
  })
})

describe('a request', () => {
  it('carries key, headers, priority, model, version and the time it may take', async () => {
    const sent: { url: string; headers: Headers }[] = []
    const watched: typeof fetch = (url, init) => {
      sent.push({ url: String(url), headers: new Headers(init?.headers) })
      return fetch(url, init)
    }
    const models = [new FakeModel(), new FakeModel({ name: 'other', version: '7' })]
    const { baseUrl } = await listening({ models, apiKeys: ['secret'] })
    const client = new ResnetClient({
      baseUrl: `${baseUrl}/`,
      apiKey: 'secret',
      headers: { 'x-tenant': 'a' },
      clock: new FakeClock(),
      fetch: watched,
    })
    const options = { model: 'other', version: '7', priority: 'low', timeoutMs: 1234.5 } as const
    const { model } = await client.classify(tensor(1), options)
    expect(model).toEqual({ name: 'other', version: '7' })
    expect(sent).toHaveLength(1)
    expect(sent[0]?.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/classify\?/)
    expect(Object.fromEntries(sent[0]?.headers ?? [])).toMatchObject({
      authorization: 'Bearer secret',
      'x-tenant': 'a',
      'x-priority': 'low',
      'x-request-timeout-ms': '1234',
    })
  })

  it('keeps a path of the base URL', async () => {
    const urls: string[] = []
    const fake: typeof fetch = async (url) => {
      urls.push(String(url))
      return new Response('{}')
    }
    await new ResnetClient({ baseUrl: 'http://host/models/', fetch: fake }).info()
    expect(urls).toEqual(['http://host/models/info'])
  })

  it.each([{ baseUrl: 'localhost' }, { baseUrl: 'http://x', headers: { 'no header': '' } }])(
    'that fetch would refuse is refused at once: %o',
    (options) => {
      expect(() => new ResnetClient(options)).toThrow(TypeError)
    },
  )
})

describe('a failure', () => {
  it('has the server’s code, status, detail, request and input', async () => {
    const { client } = await listening()
    const error = await client.classify([await greyPng(GREY), new Uint8Array([1])]).catch((thrown) => thrown)
    expect(error).toBeInstanceOf(ResnetServeError)
    expect(error).toMatchObject({
      name: 'ResnetServeError',
      message: 'undecodable_image: input 1: the bytes are not an image',
      code: 'undecodable_image',
      status: 422,
      detail: 'input 1: the bytes are not an image',
      requestId: expect.stringMatching(/./),
      index: 1,
      retryAfterS: undefined,
    })
  })

  it.each([
    ['a wrong key', {}, 'unauthorized', 401],
    ['a wrong model', { model: 'none' }, 'model_not_found', 404],
    ['a wrong value', { topK: 0 }, 'invalid_parameter', 400],
  ])('of %s is told by its code', async (_, options, code, status) => {
    const { baseUrl } = await listening({ apiKeys: ['right'] })
    const apiKey = code === 'unauthorized' ? 'wrong' : 'right'
    const asked = new ResnetClient({ baseUrl, apiKey }).classify(tensor(1), options)
    await expect(asked).rejects.toMatchObject({ code, status })
  })

  it('of a model without a classifier is told by its code', async () => {
    const { client } = await listening({ models: [withoutClassifier()] })
    await expect(client.classify(tensor(1))).rejects.toMatchObject({ code: 'no_classifier' })
    expect((await client.embed(tensor(0, 0, 1))).results).toEqual([{ embedding: Float32Array.of(1, 0, 0, 0) }])
  })

  it('by an abort is no timeout, and the server learns of it', async () => {
    const { client, model } = await listening()
    const left = new Promise((resolve) => {
      model.respond = (_, { signal }) => new Promise(() => signal?.addEventListener('abort', () => resolve(true)))
    })
    const controller = new AbortController()
    const asked = client.classify(tensor(1), { signal: controller.signal })
    asked.catch(() => {})
    await vi.waitFor(() => expect(model.calls).toHaveLength(1))
    controller.abort('why')
    await expect(asked).rejects.toMatchObject({ code: 'aborted', cause: 'why' })
    expect(await left).toBe(true)
  })

  it('by a slow answer is a timeout, after one request', async () => {
    const clock = new FakeClock()
    const { client, model } = await listening({}, { clock, timeoutMs: 500 })
    const left = new Promise((resolve) => {
      model.respond = (_, { signal }) => new Promise(() => signal?.addEventListener('abort', () => resolve(true)))
    })
    const asked = client.classify(tensor(1))
    asked.catch(() => {})
    await vi.waitFor(() => expect(model.calls).toHaveLength(1))
    await clock.advance(500)
    await expect(asked).rejects.toMatchObject({ code: 'timeout', status: undefined })
    expect(await left).toBe(true)
    expect(clock.pending).toBe(0)
    expect(model.calls).toHaveLength(1)
  })

  it.each([
    ['deadline_exceeded', 504],
    ['inference_failed', 500],
    ['canceled', 499],
  ] as const)('by %s is not asked again', async (code, status) => {
    const { client, model } = await listening()
    model.respond = async () => {
      throw new ServeError(code, 'no')
    }
    await expect(client.classify(tensor(1))).rejects.toMatchObject({ code, status })
    expect(model.calls).toHaveLength(1)
  })
})

describe('info and ready', () => {
  it('info has what its type says, under names as TypeScript has them', async () => {
    const { client } = await listening()
    const info = await client.info()
    const { models, limits } = info
    expect(info).toMatchObject({
      name: 'resnet-serve',
      version: expect.any(String),
      status: 'ready',
      engine: { name: 'onnx' },
      defaultModel: 'fake',
    } satisfies Partial<Info>)
    expect(limits).toEqual({ maxBodyBytes: 100_000, maxInputs: 8, requestTimeoutMs: 10_000 })
    expect(models).toEqual([
      expect.objectContaining({
        name: 'fake',
        version: '1',
        precision: 'fp32',
        input: expect.objectContaining({ height: 2, width: 3 }),
        embeddingSize: 4,
        embeddingSpace: '0123456789abcdef',
        numClasses: 3,
        labels: ['zero', 'one', 'two'],
      }),
    ])
  })

  it('ready is false while the server starts, and where there is none', async () => {
    let readiness: 'ready' | 'starting' = 'starting'
    const { app, client } = await listening({ services: { readiness: () => readiness } })
    expect(await client.ready()).toBe(false)
    readiness = 'ready'
    expect(await client.ready()).toBe(true)
    await app.close()
    expect(await client.ready()).toBe(false)
  })

  it('ready throws for what is no such server', async () => {
    const fetch = async () => new Response('<html>', { status: 404 })
    const client = new ResnetClient({ baseUrl: 'http://x', fetch })
    await expect(client.ready()).rejects.toMatchObject({ code: 'invalid_answer', status: 404 })
  })
})

describe('the description of the API', () => {
  it('has the parameters that are sent, and the results that are read', async () => {
    const { baseUrl } = await listening()
    const { paths } = (await (await fetch(`${baseUrl}/openapi.json`)).json()) as {
      paths: Record<string, { post: { parameters: { name: string }[]; responses: Record<string, never> } }>
    }
    for (const path of ['/classify', '/embed']) {
      const { parameters, responses } = paths[path]?.post ?? { parameters: [], responses: {} }
      const names = parameters.map(({ name }) => name)
      const sent = ['X-Priority', 'encoding_format', 'include', 'model', 'normalize', 'partial', 'top_k', 'version']
      expect(names.sort()).toEqual(sent)
      const { properties } = (responses as unknown as Described)['200'].content['application/json'].schema
      expect(Object.keys(properties).sort()).toEqual(['dimensions', 'model', 'results'])
      const read = ['class_id', 'embedding', 'error', 'input', 'label', 'logits', 'probability', 'top']
      expect(Object.keys(properties.results.items.properties).sort()).toEqual(read)
    }
  })
})

interface Described {
  '200': {
    content: {
      'application/json': { schema: { properties: { results: { items: { properties: object } } } & object } }
    }
  }
}

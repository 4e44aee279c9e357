import request from 'supertest'
import { describe, expect, it, vi } from 'vitest'
import { type ErrorCode, ServeError } from '../../../src/errors.ts'
import { type BuildOptions, build } from '../../helpers/build.ts'
import { FakeModel, withoutClassifier } from '../../helpers/fake-model.ts'
import { greyPng } from '../../helpers/pictures.ts'

const base64 = async (grey: number): Promise<string> => (await greyPng(grey)).toString('base64')
const dark = await base64(51)
const light = await base64(204)
const dataUrl = `data:image/png;base64,${light}`

const image = (url: string): object => ({ type: 'image_url', image_url: { url } })
const text = (words: string): object => ({ type: 'text', text: words })
const says = (...content: object[]): object => ({ role: 'user', content })

async function embeddings(body: object, options: BuildOptions = {}) {
  const { app } = await build(options)
  return request(app.server).post('/v1/embeddings').send(body)
}

/** What /embed says of the same pictures. */
async function expected(images: string[], query = ''): Promise<unknown[]> {
  const { app } = await build()
  const body = { inputs: images.map((each) => ({ image: each })) }
  const answer = await request(app.server).post(`/embed${query}`).send(body)
  return answer.body.results.map(({ embedding }: { embedding: unknown }) => embedding)
}

const vectorsOf = ({ body }: request.Response): unknown[] =>
  body.data.map(({ embedding }: { embedding: unknown }) => embedding)

describe('POST /v1/embeddings', () => {
  it('answers as OpenAI does, and says which version it was', async () => {
    const { status, body, headers } = await embeddings({ model: 'fake', input: dark })
    expect(status).toBe(200)
    expect(body).toEqual({
      object: 'list',
      data: [{ object: 'embedding', index: 0, embedding: [0.2, 0.2, 0.2, 0.2] }],
      model: 'fake:1',
      usage: { prompt_tokens: 0, total_tokens: 0 },
    })
    expect(headers).toMatchObject({
      'content-type': 'application/json; charset=utf-8',
      'x-embedding-space': '0123456789abcdef',
      'server-timing': expect.stringContaining('compute;dur='),
    })
  })

  it.each([
    ['float', ''],
    ['base64', '?encoding_format=base64'],
  ])('gives in %s what /embed gives, in the order of the pictures', async (encoding_format, query) => {
    const answer = await embeddings({ input: [dark, dataUrl], encoding_format })
    expect(vectorsOf(answer)).toEqual(await expected([dark, light], query))
    expect(answer.body.data.map(({ index }: { index: number }) => index)).toEqual([0, 1])
  })

  it('scales to length 1 only when asked, which OpenAI always does', async () => {
    const answer = await embeddings({ input: dark, normalize: true })
    expect(vectorsOf(answer)).toEqual([[0.5, 0.5, 0.5, 0.5]])
    expect(vectorsOf(answer)).toEqual(await expected([dark], '?normalize=true'))
    expect(vectorsOf(await embeddings({ input: dark, normalize: false }))).toEqual([[0.2, 0.2, 0.2, 0.2]])
  })

  it('takes a conversation, or a list of them, with one picture in each', async () => {
    expect(vectorsOf(await embeddings({ messages: [says(image(dataUrl))] }))).toEqual(await expected([light]))
    const list = [
      [says(image(dark), text(' '))],
      [{ role: 'system', content: '' }, says({ type: 'image_url', image_url: { url: light, detail: 'low' } })],
    ]
    expect(vectorsOf(await embeddings({ messages: list }))).toEqual(await expected([dark, light]))
  })

  it('passes over what clients of OpenAI and Infinity send beside it', async () => {
    const answer = await embeddings({ input: dark, user: 'u', modality: 'image', dimensions: 4 })
    expect(answer.status).toBe(200)
  })

  it('asks the model that the body names, in the version that it names', async () => {
    const models = [
      new FakeModel(),
      new FakeModel({ version: '2' }),
      withoutClassifier({ name: 'other', version: 'v1.0' }),
    ]
    const answered = async (model?: string) => (await embeddings({ input: dark, model }, { models })).body.model
    expect(await answered()).toBe('fake:2')
    expect(await answered('fake')).toBe('fake:2')
    expect(await answered('fake:1')).toBe('fake:1')
    expect(await answered('other')).toBe('other:v1.0')
    expect(await answered('other:v1.0')).toBe('other:v1.0')
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
  body: object
  status: number
  type: string
  code: ErrorCode
  message?: RegExp
  options?: BuildOptions
}

const refused = (status: number, code: ErrorCode) => ({ status, type: 'invalid_request_error', code })
const malformed = refused(400, 'malformed_body')
const NOT_FETCHED = /^input 0: URLs are not fetched; send the image as base64 or as a data: URL$/
const ROWS: Row[] = [
  { name: 'nothing to embed', body: { model: 'fake' }, ...refused(400, 'missing_input') },
  { name: 'input and messages', body: { input: dark, messages: [says(image(dark))] }, ...malformed },
  { name: 'an empty list', body: { input: [] }, ...malformed },
  { name: 'tokens', body: { input: [1, 2] }, ...malformed },
  { name: 'an unknown field', body: { input: dark, truncate: true }, ...malformed, message: /additional properties/ },
  { name: 'another modality', body: { input: dark, modality: 'text' }, ...malformed },
  { name: 'another encoding', body: { input: dark, encoding_format: 'int8' }, ...malformed },
  {
    name: 'other dimensions',
    body: { input: dark, dimensions: 3 },
    ...refused(400, 'invalid_parameter'),
    message: /^dimensions: model fake has 4$/,
  },
  {
    name: 'a URL as input',
    body: { input: 'http://169.254.169.254/latest/meta-data' },
    ...malformed,
    message: NOT_FETCHED,
  },
  { name: 'a file: URL', body: { input: ['file:///etc/passwd'] }, ...malformed, message: NOT_FETCHED },
  {
    name: 'a URL in a message',
    body: { messages: [says(image('https://a/b.png'))] },
    ...malformed,
    message: NOT_FETCHED,
  },
  {
    name: 'text beside a picture',
    body: { messages: [says(image(dark), text('Represent the given image.'))] },
    ...malformed,
    message: /embeds pictures, not text/,
  },
  {
    name: 'a system message',
    body: { messages: [{ role: 'system', content: 'Be brief.' }, says(image(dark))] },
    ...malformed,
    message: /embeds pictures, not text/,
  },
  { name: 'a conversation without a picture', body: { messages: [says()] }, ...malformed, message: /it has 0$/ },
  {
    name: 'two pictures in the second conversation',
    body: { messages: [[says(image(dark))], [says(image(dark)), says(image(light))]] },
    ...malformed,
    message: /^input 1: .*it has 2$/,
  },
  { name: 'text as input', body: { input: 'a cat' }, ...refused(422, 'undecodable_image'), message: /^input 0: / },
  { name: 'too many pictures', body: { input: new Array(9).fill(dark) }, ...refused(413, 'too_many_inputs') },
  {
    name: 'too many conversations',
    body: { messages: new Array(9).fill([says(image(dark))]) },
    ...refused(413, 'too_many_inputs'),
  },
  { name: 'a body over the limit', body: { input: 'A'.repeat(100_000) }, ...refused(413, 'payload_too_large') },
  {
    name: 'an unknown model',
    body: { model: 'text-embedding-3-small', input: dark },
    ...refused(404, 'model_not_found'),
  },
  { name: 'an unknown version', body: { model: 'fake:2', input: dark }, ...refused(404, 'model_not_found') },
  {
    name: 'a missing key',
    body: { input: dark },
    status: 401,
    type: 'authentication_error',
    code: 'unauthorized',
    options: { apiKeys: ['right'] },
  },
  {
    name: 'a full queue',
    body: { input: dark },
    status: 503,
    type: 'server_error',
    code: 'queue_full',
    options: failing('queue_full'),
  },
  {
    name: 'a full queue, where overload is 429',
    body: { input: dark },
    status: 429,
    type: 'rate_limit_error',
    code: 'queue_full',
    options: { ...failing('queue_full'), app: { overloadStatus: 429 } },
  },
  {
    name: 'a model that fails',
    body: { input: dark },
    status: 500,
    type: 'server_error',
    code: 'inference_failed',
    options: failing('inference_failed'),
  },
]

describe('an error of /v1/embeddings', () => {
  it.each(ROWS)(
    'is nested as OpenAI’s: $name -> $status $type',
    async ({ body, status, type, code, message, options }) => {
      const answer = await embeddings(body, options)
      expect(answer.status).toBe(status)
      expect(answer.headers['content-type']).toBe('application/json; charset=utf-8')
      expect(answer.body).toEqual({
        error: { message: expect.stringMatching(message ?? '.'), type, param: null, code },
      })
      if (status === 503 || status === 429) expect(answer.headers['retry-after']).toBe('7')
    },
  )

  it('is the same for other content types, methods and paths', async () => {
    const { app } = await build()
    const agent = request(app.server)
    const code = async (answer: request.Test) => {
      const { status, body } = await answer
      return [status, body.error.code]
    }
    const png = await greyPng(1)
    expect(await code(agent.post('/v1/embeddings').type('image/png').send(png))).toEqual([
      415,
      'unsupported_media_type',
    ])
    expect(await code(agent.post('/v1/embeddings').attach('f', png, 'f.png'))).toEqual([415, 'unsupported_media_type'])
    expect(await code(agent.post('/v1/embeddings').type('json').send('{"input":'))).toEqual([400, 'malformed_body'])
    expect(await code(agent.post('/v1/embeddings'))).toEqual([400, 'malformed_body'])
    expect(await code(agent.post('/v1/embeddings?normalize=true').send({ input: dark }))).toEqual([
      400,
      'invalid_parameter',
    ])
    expect(await code(agent.get('/v1/embeddings?a=b'))).toEqual([405, 'method_not_allowed'])
    expect(await code(agent.delete('/v1/models/fake'))).toEqual([405, 'method_not_allowed'])
    expect(await code(agent.post('/v1/chat/completions').send({}))).toEqual([404, 'not_found'])
    expect(await code(agent.get('/v1'))).toEqual([404, 'not_found'])
    // Beside these paths, errors are problems.
    expect((await agent.get('/v12')).body.code).toBe('not_found')
  })

  it('comes before the body is read where the server is busy', async () => {
    const refusal = vi.fn(() => new ServeError('queue_full', 'the queue is full', { retryAfterS: 7 }))
    const { status, body } = await embeddings({ nonsense: 1 }, { services: { refusal } })
    expect([status, body.error.code]).toEqual([503, 'queue_full'])
  })
})

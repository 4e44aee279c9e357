import request from 'supertest'
import { describe, expect, it } from 'vitest'
import { type ErrorCode, ServeError } from '../../src/errors.ts'
import { type BuildOptions, build } from '../helpers/build.ts'
import { FakeModel, withoutClassifier } from '../helpers/fake-model.ts'
import { greyPng } from '../helpers/pictures.ts'

const b64 = (await greyPng(51)).toString('base64')
const rows = [
  [0, 1, 2],
  [3, 4, 5],
]
const ofRows = {
  logits: [0, 1, 2],
  probabilities: [0.09003057, 0.24472848, 0.66524094],
  embedding: [2, 3, 4, 5],
}
const ofPicture = {
  logits: [0.2, 0.2, 0.2],
  probabilities: [0.33333334, 0.33333334, 0.33333334],
  embedding: [0.2, 0.2, 0.2, 0.2],
}

async function predict(body: unknown, options: BuildOptions = {}, path = '/v1/models/fake:predict') {
  const { app } = await build(options)
  return request(app.server)
    .post(path)
    .send(body as object)
}

describe('POST /v1/models/{model}:predict', () => {
  it.each<[string, unknown, unknown]>([
    ['[H][W]', rows, ofRows],
    ['[C][H][W]', [rows], ofRows],
    ['a picture', { b64 }, ofPicture],
    ['a named tensor', { input: rows }, ofRows],
    ['a named picture', { image: { b64 } }, ofPicture],
  ])('takes an instance as %s, and gives its outputs by name', async (_what, instance, expected) => {
    const { status, body, headers } = await predict({ signature_name: 'serving_default', instances: [instance] })
    expect([status, body]).toEqual([200, { predictions: [expected] }])
    expect(headers['server-timing']).toContain('compute;dur=')
  })

  it('keeps the order of the instances', async () => {
    const { body } = await predict({ instances: [{ b64 }, rows, { image: { b64 } }] })
    expect(body).toEqual({ predictions: [ofPicture, ofRows, ofPicture] })
  })

  it.each([
    ['bare', [rows, { b64 }]],
    ['named', { input: [rows, { b64 }] }],
  ])('answers inputs, %s, with outputs by column', async (_what, inputs) => {
    const { body } = await predict({ inputs })
    const column = (name: keyof typeof ofRows) => [ofRows[name], ofPicture[name]]
    expect(body).toEqual({
      outputs: { logits: column('logits'), probabilities: column('probabilities'), embedding: column('embedding') },
    })
  })

  it('leaves the name out where there is one output', async () => {
    const options = { models: [withoutClassifier()] }
    expect((await predict({ instances: [rows] }, options)).body).toEqual({ predictions: [ofRows.embedding] })
    expect((await predict({ inputs: [rows] }, options)).body).toEqual({ outputs: [ofRows.embedding] })
  })

  it.each(['application/x-www-form-urlencoded', 'text/plain', 'application/json', 'image/png'])(
    'reads JSON under %s, as curl -d sends it',
    async (type) => {
      const { app } = await build()
      const body = JSON.stringify({ instances: [rows] })
      const answer = await request(app.server).post('/v1/models/fake:predict').type(type).send(body)
      expect([answer.status, answer.body]).toEqual([200, { predictions: [ofRows] }])
    },
  )

  it('asks the model and the version of the path', async () => {
    const models = [new FakeModel(), withoutClassifier({ version: '1.5' }), withoutClassifier({ name: 'a.b-c' })]
    const outputs = async (path: string) => {
      const { status, body } = await predict({ instances: [rows] }, { models }, path)
      return [status, Array.isArray(body.predictions?.[0]) ? 1 : 3]
    }
    expect(await outputs('/v1/models/fake:predict')).toEqual([200, 1])
    expect(await outputs('/v1/models/fake/versions/1:predict')).toEqual([200, 3])
    expect(await outputs('/v1/models/fake/versions/1.5:predict')).toEqual([200, 1])
    expect(await outputs('/v1/models/a.b-c:predict')).toEqual([200, 1])
    expect(await outputs('/v1/models/a.b-c%3Apredict')).toEqual([200, 1])
  })

  it('leaves GET /v1/models/{id} to OpenAI', async () => {
    const { app } = await build()
    expect((await request(app.server).get('/v1/models/fake')).body).toMatchObject({ id: 'fake', object: 'model' })
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
  body: unknown
  status: number
  error?: RegExp
  options?: BuildOptions
  path?: string
}

const good = { instances: [rows] }
const ROWS: Row[] = [
  { name: 'neither instances nor inputs', body: {}, status: 400, error: /send instances/ },
  { name: 'both', body: { instances: [rows], inputs: [rows] }, status: 400, error: /not both/ },
  { name: 'no instances', body: { instances: [] }, status: 400 },
  { name: 'inputs of two names', body: { inputs: { a: [rows], b: [rows] } }, status: 400, error: /of one name/ },
  { name: 'inputs that are no list', body: { inputs: { a: { b64 } } }, status: 400, error: /must be a list/ },
  { name: 'inputs of nothing', body: { inputs: { a: [] } }, status: 400, error: /must be a list/ },
  { name: 'another signature', body: { signature_name: 'train', ...good }, status: 400 },
  { name: 'an unknown field', body: { ...good, extra: 1 }, status: 400 },
  { name: 'an array', body: [rows], status: 400 },
  { name: 'numbers alone', body: { instances: [1, 2] }, status: 400, error: /^input 0: .*nested numbers/ },
  { name: 'null', body: { instances: [null] }, status: 400, error: /^input 0: .*nested numbers/ },
  {
    name: 'an instance of two names',
    body: { instances: [{ a: rows, b: rows }] },
    status: 400,
    error: /nested numbers/,
  },
  { name: 'a name within a name', body: { instances: [{ a: { b: { b64 } } }] }, status: 400, error: /nested numbers/ },
  { name: 'b64 that is no text', body: { instances: [{ b64: 1 }] }, status: 400, error: /nested numbers/ },
  { name: 'b64 and more', body: { instances: [{ b64, a: 1 }] }, status: 400, error: /nested numbers/ },
  { name: 'a wrong shape', body: { instances: [rows, [[1]]] }, status: 400, error: /^input 1: .*shape \[2\]\[3\]/ },
  { name: 'a URL', body: { instances: [{ b64: 'http://a/b.png' }] }, status: 400, error: /URLs are not fetched/ },
  { name: 'b64 of no picture', body: { instances: [{ b64: 'abcd' }] }, status: 422 },
  { name: 'too many', body: { instances: new Array(9).fill(rows) }, status: 413 },
  { name: 'a body over the limit', body: { instances: [{ b64: 'A'.repeat(100_000) }] }, status: 413 },
  { name: 'an unknown model', body: good, path: '/v1/models/nope:predict', status: 404, error: /no model nope/ },
  { name: 'an unknown version', body: good, path: '/v1/models/fake/versions/2:predict', status: 404 },
  { name: 'a missing key', body: good, status: 401, options: { apiKeys: ['right'] } },
  { name: 'a full queue', body: good, status: 503, options: failing('queue_full') },
  {
    name: 'a full queue, where overload is 429',
    body: good,
    status: 429,
    options: { ...failing('queue_full'), app: { overloadStatus: 429 } },
  },
  { name: 'a model that fails', body: good, status: 500, options: failing('inference_failed') },
]

describe('an error of :predict', () => {
  it.each(ROWS)('is one sentence, as TensorFlow Serving’s: $name -> $status', async (row) => {
    const answer = await predict(row.body, row.options, row.path)
    expect(answer.status).toBe(row.status)
    expect(answer.headers['content-type']).toBe('application/json; charset=utf-8')
    expect(answer.body).toEqual({ error: expect.stringMatching(row.error ?? '.') })
    if (row.status === 503) expect(answer.headers['retry-after']).toBe('7')
  })

  it('is the same for JSON that is none, other methods and compressed bodies', async () => {
    const { app } = await build()
    const agent = request(app.server)
    const path = '/v1/models/fake:predict'
    const error = { error: expect.any(String) }
    const sent = async (test: request.Test) => {
      const { status, body, headers } = await test
      return [status, body, headers.allow]
    }
    expect(await sent(agent.post(path).type('json').send('{'))).toEqual([400, error, undefined])
    expect(await sent(agent.post(path))).toEqual([400, error, undefined])
    expect(await sent(agent.get(path))).toEqual([405, error, 'POST'])
    expect(await sent(agent.put('/v1/models/fake%3Apredict'))).toEqual([405, error, 'POST'])
    expect(await sent(agent.delete('/v1/models/fake/versions/1:predict?a'))).toEqual([405, error, 'POST'])
    expect(await sent(agent.post(path).set('content-encoding', 'gzip').send({}))).toEqual([415, error, undefined])
    expect(await sent(agent.post('/v1/models/fake/labels/stable:predict').send({}))).toEqual([404, error, undefined])
  })
})

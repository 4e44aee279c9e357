import request from 'supertest'
import { describe, expect, it } from 'vitest'
import { type ErrorCode, ServeError } from '../../src/errors.ts'
import { type BuildOptions, build } from '../helpers/build.ts'
import { FakeModel, withoutClassifier } from '../helpers/fake-model.ts'
import { floats, greyPng } from '../helpers/pictures.ts'

type Send = (agent: request.Agent) => PromiseLike<request.Response>

interface Row {
  name: string
  send: Send
  status: number
  code: ErrorCode
  /** What the detail must say. */
  detail?: RegExp
  options?: BuildOptions
  headers?: Record<string, string | RegExp>
}

const json =
  (body: unknown, query = ''): Send =>
  (agent) =>
    agent.post(`/classify${query}`).send(body as object)
const rawJson =
  (text: string): Send =>
  (agent) =>
    agent.post('/classify').set('content-type', 'application/json').send(text)
const image =
  (bytes: Buffer | Promise<Buffer>, type = 'image/png'): Send =>
  async (agent) =>
    agent
      .post('/classify')
      .set('content-type', type)
      .send(await bytes)
const tensors = (bytes: Buffer): Send => image(bytes, 'application/octet-stream')
const tensor = (rows: unknown): Send => json({ inputs: [{ tensor: rows }] })
const form =
  (body: string, type = 'multipart/form-data; boundary=b'): Send =>
  (agent) =>
    agent.post('/classify').set('content-type', type).send(body)
const part = (content: string) =>
  `--b\r\ncontent-disposition: form-data; name="f"; filename="f.png"\r\n\r\n${content}\r\n`
const failing = (code: ErrorCode, retryAfterS?: number): BuildOptions => {
  const model = new FakeModel()
  model.respond = async () => {
    throw new ServeError(code, 'acted out', retryAfterS === undefined ? {} : { retryAfterS })
  }
  return { models: [model] }
}
const good = [
  [1, 2, 3],
  [4, 5, 6],
]
const deepJson = `{"inputs":${'['.repeat(100_000)}${']'.repeat(100_000)}}`
/** One pixel row more than the helper's limit of a million pixels. */
const wide = greyPng(0, 1000, 1001)

const ROWS: Row[] = [
  // 400
  { name: 'no body', send: (agent) => agent.post('/classify'), status: 400, code: 'missing_input' },
  { name: 'JSON that is none', send: rawJson('{"inputs":'), status: 400, code: 'malformed_body' },
  { name: 'an empty JSON body', send: rawJson(''), status: 400, code: 'missing_input' },
  { name: 'a JSON body of another shape', send: json({ input: 1 }), status: 400, code: 'malformed_body' },
  {
    name: 'an unknown field',
    send: json({ inputs: [{ tensor: good }], extra: 1 }),
    status: 400,
    code: 'malformed_body',
  },
  { name: '__proto__', send: rawJson('{"inputs":[],"__proto__":{}}'), status: 400, code: 'malformed_body' },
  { name: 'JSON nested too deep', send: rawJson(deepJson.slice(0, 90_000)), status: 400, code: 'json_too_deep' },
  { name: 'no inputs', send: json({ inputs: [] }), status: 400, code: 'malformed_body' },
  { name: 'base64 that is none', send: json({ inputs: [{ image: 'cat.png!' }] }), status: 400, code: 'malformed_body' },
  { name: 'a URL', send: json({ inputs: [{ image: 'http://a/b.png' }] }), status: 400, code: 'malformed_body' },
  {
    name: 'a data: URL cut short',
    send: json({ inputs: [{ image: 'data:;base64' }] }),
    status: 400,
    code: 'malformed_body',
  },
  { name: 'a tensor of the wrong shape', send: tensor([[1, 2, 3]]), status: 400, code: 'invalid_tensor' },
  {
    name: 'a ragged tensor',
    send: tensor([
      [1, 2, 3],
      [4, 5],
    ]),
    status: 400,
    code: 'invalid_tensor',
  },
  {
    name: 'null in a tensor',
    send: tensor([
      [1, 2, 3],
      [4, null, 6],
    ]),
    status: 400,
    code: 'invalid_tensor',
  },
  {
    name: 'a string in a tensor',
    send: tensor([
      [1, 2, 3],
      [4, '7', 6],
    ]),
    status: 400,
    code: 'invalid_tensor',
  },
  {
    name: 'true in a tensor',
    send: tensor([
      [1, 2, 3],
      [4, true, 6],
    ]),
    status: 400,
    code: 'invalid_tensor',
  },
  {
    name: 'a number beyond float32',
    send: tensor([
      [1, 2, 3],
      [4, 1e39, 6],
    ]),
    status: 400,
    code: 'invalid_tensor',
  },
  {
    name: 'NaN in a binary tensor',
    send: tensors(floats(1, 2, 3, 4, Number.NaN, 6)),
    status: 400,
    code: 'invalid_tensor',
  },
  {
    name: 'PNG bytes as tensors',
    send: image(greyPng(1), 'application/octet-stream'),
    status: 400,
    code: 'invalid_tensor',
    detail: /PNG bytes.*Content-Type: image\/png/,
  },
  { name: 'a binary tensor cut short', send: tensors(floats(1, 2, 3, 4, 5)), status: 400, code: 'invalid_tensor' },
  { name: 'an empty binary tensor', send: tensors(Buffer.alloc(0)), status: 400, code: 'missing_input' },
  {
    name: 'an unknown query value',
    send: json({ inputs: [{ tensor: good }] }, '?include=all'),
    status: 400,
    code: 'invalid_parameter',
  },
  {
    name: 'an unknown query field',
    send: json({ inputs: [{ tensor: good }] }, '?topk=3'),
    status: 400,
    code: 'invalid_parameter',
  },
  { name: 'top_k=0', send: json({ inputs: [{ tensor: good }] }, '?top_k=0'), status: 400, code: 'invalid_parameter' },
  {
    name: 'a deadline that cannot be read',
    send: (agent) =>
      agent
        .post('/classify')
        .set('x-request-timeout-ms', 'soon')
        .send({ inputs: [{ tensor: good }] }),
    status: 400,
    code: 'invalid_parameter',
  },
  {
    name: 'multipart without a boundary',
    send: form(part('x'), 'multipart/form-data'),
    status: 400,
    code: 'malformed_body',
    detail: /no boundary/,
  },
  {
    name: 'multipart with an empty boundary',
    send: form(part('x'), 'multipart/form-data; boundary=""'),
    status: 400,
    code: 'malformed_body',
    detail: /no boundary/,
  },
  {
    name: 'multipart with another boundary',
    send: form(`--c\r\n\r\nx\r\n--c--\r\n`),
    status: 400,
    code: 'malformed_body',
  },
  {
    name: 'multipart with a boundary of 300 characters',
    send: form(part('x'), `multipart/form-data; boundary=${'b'.repeat(300)}`),
    status: 400,
    code: 'malformed_body',
  },
  { name: 'multipart without a terminator', send: form(part('x')), status: 400, code: 'malformed_body' },
  { name: 'multipart without a file', send: form('--b--\r\n'), status: 400, code: 'missing_input' },
  {
    name: 'multipart with fields only',
    send: form('--b\r\ncontent-disposition: form-data; name="a"\r\n\r\nx\r\n--b--\r\n'),
    status: 400,
    code: 'missing_input',
  },
  {
    name: 'multipart with an empty file input only',
    send: form('--b\r\ncontent-disposition: form-data; name="a"; filename=""\r\n\r\n\r\n--b--\r\n'),
    status: 400,
    code: 'missing_input',
  },
  // 401
  {
    name: 'no API key',
    send: tensor(good),
    status: 401,
    code: 'unauthorized',
    options: { apiKeys: ['right'] },
    headers: { 'www-authenticate': 'Bearer' },
  },
  {
    name: 'a wrong API key',
    send: (agent) =>
      agent
        .post('/embed')
        .set('authorization', 'Bearer wrong')
        .send({ inputs: [{ tensor: good }] }),
    status: 401,
    code: 'unauthorized',
    options: { apiKeys: ['right'] },
  },
  {
    name: 'an empty API key',
    send: (agent) =>
      agent
        .post('/embed')
        .set('authorization', 'Bearer ')
        .send({ inputs: [{ tensor: good }] }),
    status: 401,
    code: 'unauthorized',
    options: { apiKeys: ['right'] },
  },
  {
    name: 'an unknown priority',
    send: (agent) =>
      agent
        .post('/classify')
        .set('x-priority', 'high')
        .send({ inputs: [{ tensor: good }] }),
    status: 400,
    code: 'invalid_parameter',
    detail: /^x-priority must be low or normal$/,
  },
  // 429
  {
    name: 'one request more than a caller may make in a minute',
    send: async (agent) => {
      await agent.get('/info')
      return agent.post('/classify').send({ inputs: [{ tensor: good }] })
    },
    status: 429,
    code: 'rate_limited',
    options: { access: { rateLimit: 1 } },
    headers: { 'retry-after': /^\d+$/ },
  },
  // 404, 405
  { name: 'no such path', send: (agent) => agent.post('/clasify'), status: 404, code: 'not_found' },
  {
    name: 'no such model',
    send: json({ inputs: [{ tensor: good }] }, '?model=cats'),
    status: 404,
    code: 'model_not_found',
  },
  {
    name: 'no classifier',
    send: json({ inputs: [{ tensor: good }] }),
    status: 404,
    code: 'no_classifier',
    detail: /^model fake has no classifier: POST \/embed$/,
    options: { models: [withoutClassifier()] },
  },
  {
    name: 'a path out of the tree',
    send: (agent) => agent.get('/..%2f..%2fetc%2fpasswd'),
    status: 404,
    code: 'not_found',
  },
  { name: 'a path that cannot be decoded', send: (agent) => agent.get('/%zz'), status: 404, code: 'not_found' },
  {
    name: 'a wrong method',
    send: (agent) => agent.get('/classify?top_k=1'),
    status: 405,
    code: 'method_not_allowed',
    headers: { allow: 'POST' },
  },
  {
    name: 'a wrong method with a body that nobody would take',
    send: (agent) => agent.put('/readyz').set('content-type', 'a/b').send('c'),
    status: 405,
    code: 'method_not_allowed',
    headers: { allow: 'GET, HEAD' },
  },
  {
    name: 'a wrong method on a read-only path',
    send: (agent) => agent.delete('/readyz'),
    status: 405,
    code: 'method_not_allowed',
    headers: { allow: 'GET, HEAD' },
  },
  // 413
  { name: 'a body over the limit', send: tensors(Buffer.alloc(100_001)), status: 413, code: 'payload_too_large' },
  {
    name: 'a file over the limit',
    send: (agent) => agent.post('/classify').attach('file', Buffer.alloc(100_001), 'a.png'),
    status: 413,
    code: 'payload_too_large',
  },
  {
    name: 'files over the limit together',
    send: (agent) =>
      agent.post('/classify').attach('a', Buffer.alloc(60_000), 'a.png').attach('b', Buffer.alloc(60_000), 'b.png'),
    status: 413,
    code: 'payload_too_large',
  },
  { name: 'more pixels than allowed', send: image(wide), status: 413, code: 'image_too_large' },
  {
    name: 'JSON of too many values',
    send: rawJson(`{"inputs":[{"tensor":[${'0,'.repeat(2000)}0]}]}`),
    status: 413,
    code: 'payload_too_large',
  },
  { name: 'a picture wider than allowed', send: image(greyPng(0, 5001, 1)), status: 413, code: 'image_too_large' },
  {
    name: 'too many JSON inputs',
    send: json({ inputs: new Array(9).fill({ tensor: good }) }),
    status: 413,
    code: 'too_many_inputs',
  },
  { name: 'too many binary inputs', send: tensors(Buffer.alloc(9 * 24)), status: 413, code: 'too_many_inputs' },
  { name: 'too many parts', send: form(`${part('x').repeat(9)}--b--\r\n`), status: 413, code: 'too_many_inputs' },
  {
    name: 'too many parts that are no pictures',
    send: form(`${'--b\r\ncontent-disposition: form-data; name="a"\r\n\r\nx\r\n'.repeat(17)}--b--\r\n`),
    status: 413,
    code: 'too_many_inputs',
  },
  // 415
  {
    name: 'a content type not listed',
    send: form('a=1', 'application/x-www-form-urlencoded'),
    status: 415,
    code: 'unsupported_media_type',
    detail:
      /^Content-Type application\/x-www-form-urlencoded is not taken; send .*image\/png.* or application\/octet-stream$/,
  },
  {
    name: 'a form of another kind',
    send: form(part('x'), 'multipart/mixed; boundary=b'),
    status: 415,
    code: 'unsupported_media_type',
    detail: /^Content-Type multipart\/mixed; boundary=b is not taken; send multipart\/form-data/,
  },
  {
    name: 'a content type that is none',
    send: image(greyPng(1), 'png'),
    status: 415,
    code: 'unsupported_media_type',
    detail: /^Content-Type png is not taken; send .*image\/png/,
  },
  {
    name: 'no content type',
    send: async (agent) =>
      agent.post('/classify').set('content-length', '4').unset('content-type').send(Buffer.from('abcd')),
    status: 415,
    code: 'unsupported_media_type',
    detail: /^the request has no Content-Type; send .*image\/png/,
  },
  {
    name: 'an image type not listed',
    send: image(Buffer.from('GIF89a'), 'image/gif'),
    status: 415,
    code: 'unsupported_media_type',
  },
  {
    name: 'a GIF that calls itself PNG',
    send: image(Buffer.from('GIF89a')),
    status: 415,
    code: 'unsupported_image_format',
  },
  {
    name: 'SVG',
    send: image(Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"/>')),
    status: 415,
    code: 'unsupported_image_format',
  },
  { name: 'PDF', send: image(Buffer.from('%PDF-1.7')), status: 415, code: 'unsupported_image_format' },
  {
    name: 'a compressed body',
    send: (agent) =>
      agent.post('/classify').set('content-encoding', 'gzip').set('content-type', 'application/json').send('{}'),
    status: 415,
    code: 'unsupported_content_encoding',
  },
  // 422
  {
    name: 'a truncated PNG',
    send: image(greyPng(9).then((png) => png.subarray(0, 60))),
    status: 422,
    code: 'undecodable_image',
  },
  { name: 'an empty image', send: image(Buffer.alloc(0)), status: 422, code: 'undecodable_image' },
  {
    name: 'a file with a name and no bytes',
    send: form(`${part('')}--b--\r\n`),
    status: 422,
    code: 'undecodable_image',
  },
  { name: 'bytes that are no image', send: image(Buffer.from('hello')), status: 422, code: 'undecodable_image' },
  // 503, 504
  {
    name: 'a full queue',
    send: tensor(good),
    status: 503,
    code: 'queue_full',
    options: failing('queue_full', 7),
    headers: { 'retry-after': '7' },
  },
  {
    name: 'a deadline that cannot be met',
    send: tensor(good),
    status: 503,
    code: 'deadline_unreachable',
    options: failing('deadline_unreachable', 3),
    headers: { 'retry-after': '3' },
  },
  {
    name: 'an overloaded server',
    send: tensor(good),
    status: 503,
    code: 'overloaded',
    options: failing('overloaded'),
    headers: { 'retry-after': '1' },
  },
  {
    name: 'a server that is starting',
    send: tensor(good),
    status: 503,
    code: 'starting',
    options: { services: { readiness: () => 'starting' } },
    headers: { 'retry-after': '1' },
  },
  {
    name: 'a server that is draining',
    send: tensor(good),
    status: 503,
    code: 'draining',
    options: failing('draining'),
    headers: { 'retry-after': /^\d+$/ },
  },
  {
    name: 'an engine that restarts',
    send: tensor(good),
    status: 503,
    code: 'engine_unavailable',
    options: failing('engine_unavailable'),
    headers: { 'retry-after': /^\d+$/ },
  },
  {
    name: 'a deadline that has passed',
    send: (agent) =>
      agent
        .post('/classify')
        .set('x-request-timeout-ms', '0')
        .send({ inputs: [{ tensor: good }] }),
    status: 504,
    code: 'deadline_exceeded',
  },
  {
    name: 'a deadline that passes in the queue',
    send: tensor(good),
    status: 504,
    code: 'deadline_exceeded',
    options: failing('deadline_exceeded'),
  },
  // The server's own fault
  {
    name: 'a model that fails',
    send: tensor(good),
    status: 500,
    code: 'inference_failed',
    options: failing('inference_failed'),
  },
]

describe('the status table', () => {
  it.each(ROWS)('$name -> $status $code', async ({ send, status, code, detail, options, headers }) => {
    const { app } = await build(options)
    const agent = request.agent(app.server)
    agent.set('x-request-id', 'row')
    const response = await send(agent)
    expect({ status: response.status, code: response.body.code }).toEqual({ status, code })
    expect(response.headers['content-type']).toBe('application/problem+json; charset=utf-8')
    expect(response.body).toMatchObject({
      status,
      request_id: 'row',
      title: expect.any(String),
      detail: expect.any(String),
    })
    expect(response.body.detail).toMatch(detail ?? '')
    expect(JSON.stringify(response.body)).not.toMatch(/node_modules|\.[jt]s:\d|\\n +at /)
    for (const [name, value] of Object.entries(headers ?? {})) expect(response.headers[name]).toMatch(value)
    if (options === undefined) await nextGoodRequestSucceeds(agent)
  })

  it('is written down once for every code, so that none is answered by accident', async () => {
    const tested = new Set(ROWS.map(({ code }) => code))
    // Not to be had by a whole HTTP request over a fake model: tested where they arise.
    const repository = ['load_failed', 'too_many_models', 'repository_busy']
    const elsewhere = [...repository, 'request_timeout', 'canceled', 'internal']
    const { ERROR_CODES } = await import('../../src/errors.ts')
    expect(ERROR_CODES.filter((code) => !tested.has(code)).sort()).toEqual(elsewhere.sort())
  })
})

async function nextGoodRequestSucceeds(agent: request.Agent): Promise<void> {
  const { status } = await agent.post('/classify').send({ inputs: [{ tensor: good }] })
  expect(status).toBe(200)
}

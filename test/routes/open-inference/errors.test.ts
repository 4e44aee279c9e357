import { describe, expect, it } from 'vitest'
import { ServeError } from '../../../src/errors.ts'
import { FakeModel, withoutClassifier } from '../../helpers/fake-model.ts'
import { keepAliveClient } from '../../helpers/keep-alive.ts'
import { floats, greyPng } from '../../helpers/pictures.ts'
import { binaryInput, INFER, input, lengthPrefixed, openInferenceClient } from './client.ts'

const SIX = floats(1, 2, 3, 4, 5, 6)

type Client = Awaited<ReturnType<typeof openInferenceClient>>

/** What a request is refused with: a status and a sentence. */
const ROWS: [
  name: string,
  send: (client: Client) => Promise<Awaited<ReturnType<Client['post']>>>,
  status: number,
  error: string | RegExp,
][] = [
  ['no body', ({ post }) => post(Buffer.alloc(0)), 400, 'the request has no body'],
  ['no JSON', ({ post }) => post(Buffer.from('{')), 400, 'the body is not JSON'],
  ['bytes without a length of the JSON', ({ post }) => post(SIX), 400, 'the body is not JSON'],
  ['JSON nested too deep', ({ post }) => post(Buffer.from('['.repeat(99))), 400, 'JSON nested deeper than 16'],
  ['another JSON', ({ post }) => post(Buffer.from('[]')), 400, 'the request is malformed: must be object'],
  [
    'no inputs',
    ({ infer }) => infer({ id: 'a' }),
    400,
    'the request is malformed: must have required properties inputs',
  ],
  [
    'inputs of a wrong form',
    ({ infer }) => infer({ inputs: [{ name: 'input', shape: ['1'], datatype: 'FP32' }] }),
    400,
    'the request is malformed at inputs.0.shape.0: must be integer',
  ],
  ['two inputs', ({ infer }) => infer({ inputs: [input(), input()] }), 400, /^the request is malformed at inputs: /],
  ['an id of a wrong form', ({ infer }) => infer({ id: 7, inputs: [input()] }), 400, /malformed at id: must be string/],
  [
    'an input of another name',
    ({ infer }) => infer({ inputs: [input({ name: 'INPUT__0' })] }),
    400,
    'there is no input "INPUT__0"; it is called "input"',
  ],
  [
    'an unknown datatype',
    ({ infer }) => infer({ inputs: [input({ datatype: 'FP64' })] }),
    400,
    'input "input" cannot be "FP64"; send FP32, FP16, UINT8 or BYTES',
  ],
  [
    'a datatype that every object has',
    ({ infer }) => infer({ inputs: [input({ datatype: 'constructor' })] }),
    400,
    /cannot be "constructor"/,
  ],
  ...[[6], [2, 3], [1, 2, 3], [0, 1, 2, 3], [1, 1, 3, 2], [1, 3, 2, 3], [1, 1, 2, 3, 1], []].map(
    (shape): (typeof ROWS)[number] => [
      `shape ${JSON.stringify(shape)}`,
      ({ infer }) => infer({ inputs: [input({ shape })] }),
      400,
      `FP32 must have shape [N,1,2,3], N from 1; this has shape [${shape}]`,
    ],
  ),
  [
    'more inputs than are allowed',
    ({ infer }) => infer({ inputs: [input({ shape: [9, 1, 2, 3] })] }),
    413,
    'more than 8 inputs in one request',
  ],
  [
    'fewer elements than the shape has',
    ({ infer }) => infer({ inputs: [input({ data: [[1, 2], [3]] })] }),
    400,
    'shape [1,1,2,3] has 6 elements; there are 3',
  ],
  [
    'an element that is no number',
    ({ infer }) => infer({ inputs: [input({ data: [1, 2, '3', 4, 5, 6] })] }),
    400,
    'element 2 is not a number',
  ],
  [
    'a number beyond float32',
    ({ infer }) => infer({ inputs: [input({ data: [1e39, 2, 3, 4, 5, 6] })] }),
    400,
    'input 0: the tensor holds a number that is not finite',
  ],
  ...[256, -1, 0.5].map((value): (typeof ROWS)[number] => [
    `UINT8 of ${value}`,
    ({ infer }) => infer({ inputs: [input({ datatype: 'UINT8', data: [1, value, 3, 4, 5, 6] })] }),
    400,
    'element 1 is not a whole number from 0 to 255, as UINT8 is',
  ]),
  ['no data', ({ infer }) => infer({ inputs: [input({ data: undefined })] }), 400, 'input "input" has no data'],
  [
    'data that is no array',
    ({ infer }) => infer({ inputs: [input({ datatype: 'BYTES', shape: [1], data: 'abc' })] }),
    400,
    'input "input" has no data',
  ],
  [
    'BYTES of another shape',
    ({ infer }) => infer({ inputs: [input({ datatype: 'BYTES', shape: [1, 2], data: ['', ''] })] }),
    400,
    'BYTES must have shape [N], N from 1; this has shape [1,2]',
  ],
  [
    'BYTES that are not base64',
    ({ infer }) => infer({ inputs: [input({ datatype: 'BYTES', shape: [1], data: ['no base64 at all!'] })] }),
    400,
    'input 0: the image is not base64',
  ],
  [
    'BYTES that are no text',
    ({ infer }) => infer({ inputs: [input({ datatype: 'BYTES', shape: [1], data: [7] })] }),
    400,
    'element 0 is not a string; an image is sent as base64',
  ],
  [
    'BYTES that are no image',
    ({ infer }) => infer({ inputs: [input({ datatype: 'BYTES', shape: [1], data: ['AAAA'] })] }),
    422,
    'input 0: the bytes are not an image',
  ],
  [
    'a URL',
    ({ infer }) => infer({ inputs: [input({ datatype: 'BYTES', shape: [1], data: ['http://x/'] })] }),
    400,
    /URLs are not fetched/,
  ],
  [
    'an unknown output',
    ({ infer }) => infer({ inputs: [input()], outputs: [{ name: 'OUTPUT__0' }] }),
    400,
    'there is no output "OUTPUT__0"; there are logits, probabilities, embedding',
  ],
  [
    'an output twice',
    ({ infer }) => infer({ inputs: [input()], outputs: [{ name: 'logits' }, { name: 'logits' }] }),
    400,
    'output "logits" is asked for twice',
  ],
  [
    'classes of an embedding',
    ({ infer }) => infer({ inputs: [input()], outputs: [{ name: 'embedding', parameters: { classification: 3 } }] }),
    400,
    'an embedding has no classes: ask for logits or probabilities',
  ],
  [
    'shared memory',
    ({ infer }) =>
      infer({ inputs: [input()], outputs: [{ name: 'logits', parameters: { shared_memory_region: 'r' } }] }),
    400,
    'there is no shared memory: take the outputs from the answer',
  ],
  [
    'a timeout of a wrong form',
    ({ infer }) => infer({ inputs: [input()], parameters: { timeout: -1 } }),
    400,
    /malformed at parameters.timeout/,
  ],
  [
    'a length of the JSON that is none',
    ({ post }) => post(SIX, { 'inference-header-content-length': '-1' }),
    400,
    'Inference-Header-Content-Length must be a length within the body, which has 24 bytes',
  ],
  [
    'a length of the JSON beyond the body',
    ({ post }) => post(SIX, { 'inference-header-content-length': '25' }),
    400,
    /must be a length within the body/,
  ],
  [
    'binary data that nothing declares',
    ({ inferBinary }) => inferBinary({ inputs: [input()] }, SIX),
    400,
    "the inputs' binary_data_size come to 0 bytes; behind the JSON are 24",
  ],
  [
    'binary data that is missing',
    ({ inferBinary }) => inferBinary({ inputs: [binaryInput(24)] }),
    400,
    "the inputs' binary_data_size come to 24 bytes; behind the JSON are 0",
  ],
  [
    'data in both forms',
    ({ inferBinary }) => inferBinary({ inputs: [binaryInput(24, { data: [1, 2, 3, 4, 5, 6] })] }, SIX),
    400,
    'an input has both data and binary_data_size',
  ],
  [
    'binary data of another length than the shape has',
    ({ inferBinary }) => inferBinary({ inputs: [binaryInput(24, { shape: [2, 1, 2, 3] })] }, SIX),
    400,
    'FP32 of shape [2,1,2,3] has 48 bytes; there are 24',
  ],
  [
    'BYTES that end behind the data',
    ({ inferBinary }) =>
      inferBinary({ inputs: [binaryInput(6, { datatype: 'BYTES', shape: [1] })] }, Buffer.alloc(6, 1)),
    400,
    'element 0 of BYTES ends behind the data',
  ],
  [
    'BYTES of fewer elements than the shape has',
    ({ inferBinary }) => {
      const bytes = lengthPrefixed('a')
      return inferBinary({ inputs: [binaryInput(bytes.length, { datatype: 'BYTES', shape: [2] })] }, bytes)
    },
    400,
    'shape [2] has 2 elements; there are 1',
  ],
  [
    'BYTES of more elements than the shape has',
    ({ inferBinary }) =>
      inferBinary({ inputs: [binaryInput(80_000, { datatype: 'BYTES', shape: [1] })] }, Buffer.alloc(80_000)),
    400,
    'shape [1] has 1 elements; there are more',
  ],
  [
    'a compressed body',
    ({ post }) => post(SIX, { 'content-encoding': 'gzip' }),
    415,
    'send the body without Content-Encoding',
  ],
  ['a body that is too large', ({ post }) => post(Buffer.alloc(100_001)), 413, /larger than 100000 bytes/],
  [
    'JSON of too many values',
    ({ infer }) => infer({ inputs: [input({ data: Array(3000).fill(0) })] }),
    413,
    /^JSON of more than 2000 values/,
  ],
  ['an unknown model', ({ infer }) => infer({ inputs: [input()] }, '/v2/models/nope/infer'), 404, 'no model nope'],
  [
    'an unknown version',
    ({ infer }) => infer({ inputs: [input()] }, '/v2/models/fake/versions/7/infer'),
    404,
    'model fake has no version 7',
  ],
  ['an unknown path', ({ infer }) => infer({}, '/v2/models/fake/nope'), 404, 'there is nothing at this path'],
  ['a path that cannot be decoded', ({ infer }) => infer({}, '/v2/%ff'), 404, 'there is nothing at this path'],
  ['another method', ({ infer }) => infer({}, '/v2/models/fake'), 405, 'this path takes GET, HEAD'],
]

describe('what is refused, with a status and one sentence under exactly application/json', () => {
  it.each(ROWS)('%s', async (_name, send, status, error) => {
    const answer = await send(await openInferenceClient())
    expect(answer.json).toEqual({ error: typeof error === 'string' ? error : expect.stringMatching(error) })
    expect([answer.status, answer.type]).toEqual([status, 'application/json'])
  })

  it('logits of a model without a classifier', async () => {
    const { infer } = await openInferenceClient({ models: [withoutClassifier()] })
    const { status, json } = await infer({ inputs: [input()], outputs: [{ name: 'logits' }] })
    expect([status, json.error]).toEqual([400, 'there is no output "logits"; there are embedding'])
  })

  it.each([
    ['queue_full', 503],
    ['deadline_exceeded', 504],
    ['inference_failed', 500],
  ] as const)('a failure of the server: %s is %i', async (code, status) => {
    const model = new FakeModel()
    model.respond = async () => {
      throw new ServeError(code, 'acted out')
    }
    const { infer } = await openInferenceClient({ models: [model] })
    const answer = await infer({ inputs: [input()] })
    expect([answer.status, answer.type, answer.json]).toEqual([status, 'application/json', { error: 'acted out' }])
    expect(answer.headers['retry-after']).toBe(status === 503 ? '1' : undefined)
  })
})

it('takes any Content-Type, since its clients send none or that of bytes', async () => {
  const { post } = await openInferenceClient()
  const body = Buffer.from(JSON.stringify({ inputs: [input()] }))
  const types = ['application/json', 'application/octet-stream', 'text/plain', 'multipart/form-data', 'image/png']
  for (const type of types) expect((await post(body, { 'content-type': type })).status).toBe(200)
})

describe('a refused body is read before the connection goes on', () => {
  const png = greyPng(0)

  it.each([
    ['413', { limits: { maxBodyBytes: 100_000 } }, 413, Buffer.alloc(5_000_000)],
    ['401', { apiKeys: ['secret'] }, 401, Buffer.alloc(90_000)],
    ['404', {}, 404, Buffer.alloc(90_000)],
  ])('after %s', async (_name, options, status, body) => {
    const { app } = await openInferenceClient(options)
    const post = await keepAliveClient(app)
    const url = status === 404 ? '/v2/models/nope/infer' : INFER
    for (let i = 0; i < 3; i++) {
      const answer = await post(url, 'application/octet-stream', body)
      expect([answer.status, answer.headers.get('content-type')]).toEqual([status, 'application/json'])
    }
    // The same connection still serves.
    if (status !== 401) expect((await post('/classify', 'image/png', await png)).status).toBe(200)
  })
})

import request from 'supertest'
import { describe, expect, it } from 'vitest'
import { ServeError } from '../../src/errors.ts'
import { build } from '../helpers/build.ts'
import { answer, FakeModel, withoutClassifier } from '../helpers/fake-model.ts'
import { floats, greyPng } from '../helpers/pictures.ts'

const TENSOR = [
  [1, 2, 0.1],
  [-4, 5, 6],
]

async function classify(query = '', inputs: unknown[] = [{ tensor: TENSOR }], model = new FakeModel()) {
  const { app } = await build({ models: [model] })
  return request(app.server).post(`/classify${query}`).send({ inputs })
}

describe('POST /classify', () => {
  it('gives the likeliest class, the ranking, both vectors and the model', async () => {
    const { status, body } = await classify()
    expect(status).toBe(200)
    expect(body.model).toEqual({ name: 'fake', version: '1' })
    const [result] = body.results
    expect(result).toMatchObject({ label: 'one', class_id: 1, logits: [1, 2, 0.1], embedding: [0.1, -4, 5, 6] })
    expect(result.top.map((entry: { label: string }) => entry.label)).toEqual(['one', 'zero', 'two'])
    const sum = result.top.reduce((total: number, entry: { probability: number }) => total + entry.probability, 0)
    expect(sum).toBeCloseTo(1, 6)
    expect(result.probability).toBe(result.top[0].probability)
  })

  it('names the space of its embeddings', async () => {
    const { headers } = await classify('', [{ tensor: TENSOR }], new FakeModel({ embeddingSpace: 'feedfacecafebeef' }))
    expect(headers['x-embedding-space']).toBe('feedfacecafebeef')
  })

  it('prints numbers as the shortest float32', async () => {
    const { text } = await classify()
    expect(text).toContain('"logits":[1,2,0.1]')
  })

  it('lists top_k classes, capped at the class count', async () => {
    expect((await classify('?top_k=2')).body.results[0].top).toHaveLength(2)
    expect((await classify('?top_k=100')).body.results[0].top).toHaveLength(3)
  })

  it('leaves out what include does not name', async () => {
    const { body } = await classify('?include=top')
    expect(Object.keys(body.results[0]).sort()).toEqual(['class_id', 'label', 'probability', 'top'])
    expect(Object.keys((await classify('?include=logits,embedding')).body.results[0])).not.toContain('top')
  })

  it('says with include=input what the model saw, which has the same answer as a tensor', async () => {
    const seen = (await classify('?include=input,logits')).body.results[0]
    expect(seen.input).toEqual([TENSOR])
    const again = await classify('?include=logits', [{ tensor: seen.input }])
    expect(again.body.results[0].logits).toEqual(seen.logits)
    expect((await classify()).body.results[0]).not.toHaveProperty('input')
  })

  it('gives each input its own, with a failed one between them', async () => {
    const other = [
      [3, 2, 1],
      [0, 0, 0],
    ]
    const inputs = [{ tensor: TENSOR }, { tensor: [[1]] }, { tensor: other }]
    const { body } = await classify('?include=input&partial=true', inputs)
    expect(body.results.map((result: { input?: unknown }) => result.input)).toEqual([[TENSOR], undefined, [other]])
  })

  it('writes no more values with include=input than JSON may hold in a request', async () => {
    const { app } = await build({ limits: { maxJsonValues: 12 } })
    const send = (count: number) =>
      request(app.server)
        .post('/classify?include=input')
        .type('application/octet-stream')
        .send(Buffer.alloc(count * 24))
    expect((await send(2)).status).toBe(200)
    const { status, body } = await send(3)
    expect([status, body.code]).toEqual([400, 'invalid_parameter'])
    expect(body.detail).toContain('at most 2')
  })

  it('stays finite for extreme logits', async () => {
    const { body } = await classify('', [
      {
        tensor: [
          [1e9, -1e9, 1e9],
          [0, 0, 0],
        ],
      },
    ])
    expect(body.results[0]).toMatchObject({ class_id: 0, probability: 0.5 })
  })

  it('answers many inputs in their order, as one call of the model', async () => {
    const model = new FakeModel()
    const inputs = [1, 2, 3].map((n) => ({
      tensor: [
        [n, 0, 0],
        [0, 0, 0],
      ],
    }))
    const { body } = await classify('', inputs, model)
    expect(body.results.map((result: { logits: number[] }) => result.logits[0])).toEqual([1, 2, 3])
    expect(model.calls).toHaveLength(1)
  })

  it('names the index of the bad input, and asks the model nothing', async () => {
    const model = new FakeModel()
    const { status, body } = await classify('', [{ tensor: TENSOR }, { tensor: [[1]] }], model)
    expect([status, body.code, body.index]).toEqual([400, 'invalid_tensor', 1])
    expect(body.detail).toMatch(/^input 1: /)
    expect(model.calls).toHaveLength(0)
  })

  it('with partial=true puts a bad input’s error in its place, and the others succeed', async () => {
    const { status, body } = await classify('?partial=true&include=top', [{ tensor: [[1]] }, { tensor: TENSOR }])
    expect(status).toBe(200)
    expect(body.results[0].error.code).toBe('invalid_tensor')
    expect(body.results[1].label).toBe('one')
  })

  it.each([
    ['a URL', 'http://127.0.0.1/cat.png', 'malformed_body'],
    ['a file’s name', 'cat.png', 'malformed_body'],
    ['base64 cut in the middle of a character', 'iVBORw0=A', 'malformed_body'],
    ['a data: URL without a comma', 'data:image/png;base64', 'malformed_body'],
    ['a data: URL whose bytes are text', 'data:image/png,iVBORw0=', 'undecodable_image'],
    ['an empty string', '', 'undecodable_image'],
  ])(
    'an image that is %s fails in its place with partial=true, and otherwise by its index',
    async (_what, image, code) => {
      const inputs = [{ tensor: TENSOR }, { image }, { tensor: TENSOR }]
      const { status, body } = await classify('?partial=true', inputs)
      expect(status).toBe(200)
      expect(body.results.map((result: { error?: { code: string } }) => result.error?.code)).toEqual([
        undefined,
        code,
        undefined,
      ])
      const whole = await classify('', inputs)
      expect([whole.body.code, whole.body.index]).toEqual([code, 1])
    },
  )

  it('with partial=true gives an input on which the model fails its error, and the others their own results', async () => {
    const model = new FakeModel()
    model.respond = async ([first, second]) => [
      new ServeError('inference_failed', 'the model failed on this input'),
      answer(second ?? (first as Float32Array)),
    ]
    const { body } = await classify(
      '?partial=true',
      [
        {
          tensor: [
            [9, 9, 9],
            [9, 9, 9],
          ],
        },
        { tensor: TENSOR },
      ],
      model,
    )
    expect(body.results[0].error.code).toBe('inference_failed')
    expect(body.results[1].logits).toEqual([1, 2, 0.1])
  })

  it('fails as a whole, partial or not, when the failure is not one input’s own', async () => {
    const model = new FakeModel()
    model.respond = async (inputs) => inputs.map(() => new ServeError('deadline_exceeded', 'late'))
    expect((await classify('?partial=true', [{ tensor: TENSOR }], model)).status).toBe(504)
  })

  it('says where the time went and how large the batch was', async () => {
    const { headers } = await classify()
    const number = '\\d+\\.\\d+'
    expect(headers['server-timing']).toMatch(
      new RegExp(`^decode;dur=${number}, queue;dur=2.00, compute;dur=3.00, total;dur=${number}, batch;desc="16"$`),
    )
  })

  it('says where the answer came from when it needed no batch', async () => {
    const model = new FakeModel()
    model.respond = async (inputs) => inputs.map((input) => ({ ...answer(input), cached: true }))
    const { headers } = await classify('', [{ tensor: TENSOR }, { tensor: TENSOR }], model)
    expect(headers['server-timing']).toMatch(/, cache;desc=hit$/)
    model.respond = async (inputs) => inputs.map((input, i) => ({ ...answer(input), cached: i === 0 }))
    const mixed = await classify('', [{ tensor: TENSOR }, { tensor: TENSOR }], model)
    expect(mixed.headers['server-timing']).toMatch(/, batch;desc="16"$/)
  })

  it('takes all four forms of input', async () => {
    const { app, model } = await build()
    const png = await greyPng(51)
    const send = (): request.Test => request(app.server).post('/classify')
    const answers = [
      await send().attach('anything', png, 'a.png').attach('other', png, 'b.png').field('note', 'passed over'),
      await send().set('content-type', 'image/png').send(png),
      await send().send({ inputs: [{ image: png.toString('base64') }] }),
      await send().send({ inputs: [{ image: `data:image/png;base64,${png.toString('base64')}` }] }),
      await send().send({ inputs: [{ tensor: [TENSOR] }] }),
      await send()
        .set('content-type', 'application/octet-stream')
        .send(floats(...new Array(12).fill(0.2))),
    ]
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200))
    expect(model.calls.map(({ inputs }) => inputs.length)).toEqual([2, 1, 1, 1, 1, 2])
    const fromPictures = model.calls.slice(0, 4).flatMap(({ inputs }) => inputs)
    for (const input of fromPictures)
      expect([...input].map((value) => Math.round(value * 255))).toEqual(new Array(6).fill(51))
  })

  it('hands the model the deadline and a signal that tells of a client gone away', async () => {
    const model = new FakeModel()
    await classify('', [{ tensor: TENSOR }], model)
    expect(model.calls[0]?.options.deadline).toBeGreaterThan(0)
    expect(model.calls[0]?.options.signal?.aborted).toBe(false)
  })
})

describe('the probability of a class', () => {
  const tensor = [
    [1, 2, -1000],
    [0, 0, 0],
  ]
  const top = async (activation: 'softmax' | 'sigmoid' | 'none') => {
    const { body } = await classify('?include=top', [{ tensor }], new FakeModel({ activation }))
    const [{ class_id, probability, top }] = body.results
    expect({ class_id, probability }).toMatchObject({ class_id: top[0].class_id, probability: top[0].probability })
    return top.map((each: { class_id: number; probability: number }) => [each.class_id, each.probability])
  }

  it('is its share of all classes with softmax', async () => {
    const share = Math.fround(1 / (1 + Math.exp(-1)))
    expect(await top('softmax')).toEqual([
      [1, expect.closeTo(share, 6)],
      [0, expect.closeTo(1 - share, 6)],
      [2, 0],
    ])
  })

  it('is that of the class alone with sigmoid, for labels that do not exclude each other', async () => {
    expect(await top('sigmoid')).toEqual([
      [1, expect.closeTo(0.880797, 6)],
      [0, expect.closeTo(0.731059, 6)],
      [2, 0],
    ])
  })

  it('is the logit as it is with none', async () => {
    expect(await top('none')).toEqual([
      [1, 2],
      [0, 1],
      [2, -1000],
    ])
  })

  it('is finite for extreme logits, and classes keep the order of their logits where probabilities are equal', async () => {
    const extreme = [
      [1e8, 1e9, -1e9],
      [0, 0, 0],
    ]
    const { body } = await classify('?include=top', [{ tensor: extreme }], new FakeModel({ activation: 'sigmoid' }))
    const classes = body.results[0].top as { class_id: number; probability: number }[]
    expect(classes.map(({ class_id, probability }) => [class_id, probability])).toEqual([
      [1, 1],
      [0, 1],
      [2, 0],
    ])
  })
})

describe('a model without a classifier', () => {
  it('cannot classify, and is asked nothing', async () => {
    const model = withoutClassifier()
    const { status, body } = await classify('', [{ tensor: TENSOR }], model)
    expect([status, body.code, body.detail]).toEqual([
      404,
      'no_classifier',
      'model fake has no classifier: POST /embed',
    ])
    expect(model.calls).toEqual([])
  })
})

describe('choosing a model', () => {
  it('takes the highest version unless one is named', async () => {
    const models = ['2', '10', '9'].map((version) => new FakeModel({ version }))
    const { app } = await build({ models })
    const version = async (query: string): Promise<string> => {
      const { body } = await request(app.server)
        .post(`/classify${query}`)
        .send({ inputs: [{ tensor: TENSOR }] })
      return body.model?.version ?? body.code
    }
    expect(await version('')).toBe('10')
    expect(await version('?model=fake&version=9')).toBe('9')
    expect(await version('?version=3')).toBe('model_not_found')
    expect(await version('?model=..%2f..%2fetc')).toBe('model_not_found')
    expect(await version('?model=__proto__')).toBe('model_not_found')
  })
})

import request from 'supertest'
import { describe, expect, it } from 'vitest'
import { build } from '../helpers/build.ts'
import { FakeModel, withoutClassifier } from '../helpers/fake-model.ts'

const INPUTS = {
  inputs: [
    {
      tensor: [
        [0, 0, 3],
        [0, 4, 0],
      ],
    },
  ],
}

async function embed(query = '', headers: Record<string, string> = {}, body: object = INPUTS, model = new FakeModel()) {
  const { app } = await build({ models: [model] })
  return request(app.server).post(`/embed${query}`).set(headers).send(body)
}

describe('POST /embed', () => {
  it('gives embedding, logits and the number of dimensions', async () => {
    const { status, body } = await embed()
    expect(status).toBe(200)
    expect(body).toEqual({
      model: { name: 'fake', version: '1' },
      dimensions: 4,
      results: [{ embedding: [3, 0, 4, 0], logits: [0, 0, 3] }],
    })
  })

  it('says with include=input what the model saw, [C][H][W], also of a model without a classifier', async () => {
    const { body } = await embed('?include=embedding,input', {}, INPUTS, withoutClassifier())
    expect(body.results).toEqual([{ embedding: [3, 0, 4, 0], input: [INPUTS.inputs[0]?.tensor] }])
  })

  it('scales to length 1 with normalize=true, and leaves a zero vector zero', async () => {
    expect((await embed('?normalize=true')).body.results[0].embedding).toEqual([0.6, 0, 0.8, 0])
    const zero = {
      inputs: [
        {
          tensor: [
            [0, 0, 0],
            [0, 0, 0],
          ],
        },
      ],
    }
    expect((await embed('?normalize=true', {}, zero)).body.results[0].embedding).toEqual([0, 0, 0, 0])
  })

  it('writes embeddings as base64 of little-endian float32 when asked', async () => {
    const { body } = await embed('?encoding_format=base64&include=embedding')
    const bytes = Buffer.from(body.results[0].embedding, 'base64')
    expect([0, 4, 8, 12].map((offset) => bytes.readFloatLE(offset))).toEqual([3, 0, 4, 0])
  })

  it('answers raw float32 rows to Accept: application/octet-stream', async () => {
    const two = {
      inputs: [
        INPUTS.inputs[0],
        {
          tensor: [
            [0, 0, 1],
            [1, 1, 1],
          ],
        },
      ],
    }
    const { app } = await build()
    const { body, headers } = await request(app.server)
      .post('/embed')
      .set('accept', 'application/octet-stream')
      .send(two)
      .buffer(true)
      .parse((response, done) => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.on('end', () => done(null, Buffer.concat(chunks)))
      })
    expect(headers['content-type']).toBe('application/octet-stream')
    expect(headers['x-embedding-dimensions']).toBe('4')
    expect([...new Float32Array(new Uint8Array(body).buffer)]).toEqual([3, 0, 4, 0, 1, 1, 1, 1])
  })

  it('prefers JSON for clients that take anything', async () => {
    expect((await embed('', { accept: '*/*' })).headers['content-type']).toMatch(/^application\/json/)
  })

  it('refuses a binary answer together with partial results, which have no place in it', async () => {
    const { status, body } = await embed('?partial=true', { accept: 'application/octet-stream' })
    expect([status, body.code]).toEqual([400, 'invalid_parameter'])
  })

  it.each(['application/json', 'application/octet-stream'])(
    'names the space of the embeddings in %s',
    async (accept) => {
      const { headers } = await embed('', { accept }, INPUTS, new FakeModel({ embeddingSpace: 'feedfacecafebeef' }))
      expect([headers['content-type'], headers['x-embedding-space']]).toEqual([
        expect.stringContaining(accept),
        'feedfacecafebeef',
      ])
    },
  )

  it('names no space where there are no embeddings', async () => {
    const { status, headers } = await embed('', {}, { inputs: [{ tensor: [[1]] }] })
    expect([status, headers['x-embedding-space']]).toEqual([400, undefined])
  })
})

describe('a model without a classifier', () => {
  it('gives its embeddings, and no logits', async () => {
    const { status, body } = await embed('', {}, INPUTS, withoutClassifier())
    expect(status).toBe(200)
    expect(body).toEqual({
      model: { name: 'fake', version: '1' },
      dimensions: 4,
      results: [{ embedding: [3, 0, 4, 0] }],
    })
  })

  it.each(['logits', 'top', 'embedding,logits'])('has nothing to give for include=%s', async (include) => {
    const model = withoutClassifier()
    const { status, body } = await embed(`?include=${include}`, {}, INPUTS, model)
    expect([status, body.code]).toEqual([400, 'invalid_parameter'])
    expect(body.detail).toBe('include: model fake has no classifier, so no logits and no top')
    expect(model.calls).toEqual([])
  })
})

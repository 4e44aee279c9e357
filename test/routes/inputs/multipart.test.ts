import request from 'supertest'
import { describe, expect, it } from 'vitest'
import { build } from '../../helpers/build.ts'
import { keepAliveClient } from '../../helpers/keep-alive.ts'
import { floats, greyPng } from '../../helpers/pictures.ts'

const FORM = 'multipart/form-data; boundary=b'

interface Part {
  /** What stands behind `form-data`. */
  disposition: string
  type?: string
  content: Buffer | string
}

function form(parts: Part[]): Buffer {
  const written = parts.flatMap(({ disposition, type, content }) => [
    `--b\r\ncontent-disposition: form-data${disposition}\r\n`,
    type === undefined ? '\r\n' : `content-type: ${type}\r\n\r\n`,
    content,
    '\r\n',
  ])
  return Buffer.concat([...written, '--b--\r\n'].map((each) => Buffer.from(each as string)))
}

/** Greys of the pictures that reached the model, in their order, or the refusal. */
async function post(body: Buffer): Promise<unknown> {
  const { app, model } = await build()
  const { status, body: answer } = await request(app.server).post('/classify').set('content-type', FORM).send(body)
  if (status !== 200) return [status, answer.code]
  expect(answer.results).toHaveLength(model.calls[0]?.inputs.length as number)
  return model.calls[0]?.inputs.map(([value]) => Math.round((value as number) * 255))
}

const png = await greyPng(51)
const second = { disposition: '; name="b"; filename="b.png"', type: 'image/png', content: await greyPng(102) }
const empty = { disposition: '; name="e"; filename=""', type: 'application/octet-stream', content: '' }
const token = { disposition: '; name="csrf"', content: 'c3VwZXIgc2VjcmV0' }

describe('a part of a form', () => {
  it.each<[string, Omit<Part, 'content'>]>([
    ['a filename', { disposition: '; name="a"; filename="a.png"' }],
    ['a filename and a type of no picture', { disposition: '; name="a"; filename="a"', type: 'text/plain' }],
    ['an extended filename', { disposition: `; name="a"; filename*=UTF-8''%e2%82%ac.png` }],
    ['an empty filename', { disposition: '; name="a"; filename=""' }],
    ['an image type and no filename', { disposition: '; name="a"', type: 'image/jpeg' }],
    ['an image type in capitals, with a parameter', { disposition: '; name="a"', type: 'IMAGE/PNG; q=1' }],
    ['the type of any bytes', { disposition: '; name="a"', type: 'application/octet-stream' }],
    ['a picture’s first bytes and nothing else', { disposition: '; name="a"' }],
    ['a picture’s first bytes and a type of text', { disposition: '; name="a"', type: 'text/plain; charset=latin1' }],
    ['a picture’s first bytes and a type of JSON', { disposition: '; name="a"', type: 'application/json' }],
    ['no name', { disposition: '', type: 'image/png' }],
  ])('with %s is a picture, in its place', async (_what, head) => {
    expect(await post(form([{ ...head, content: png }, second]))).toEqual([51, 102])
    expect(await post(form([second, token, { ...head, content: png }]))).toEqual([102, 51])
  })

  it.each<[string, Part]>([
    ['a token', token],
    ['an empty field', { ...token, content: '' }],
    ['a field that calls itself JSON and is none', { ...token, type: 'application/json', content: '{' }],
    ['a field longer than most', { ...token, content: 'a'.repeat(40_000) }],
    ['a file input that was left empty', empty],
    ['an empty file input as Node sends it', { ...empty, disposition: '; name="e"' }],
    ['an empty file input of an image type', { ...empty, type: 'image/png' }],
  ])('that is %s is passed over', async (_what, part) => {
    expect(await post(form([part, second]))).toEqual([102])
    expect(await post(form([second, part]))).toEqual([102])
    expect(await post(form([part]))).toEqual([400, 'missing_input'])
    expect(await post(form([part, part]))).toEqual([400, 'missing_input'])
  })

  it.each<[string, Part, number, string]>([
    ['a file with a name and no bytes', { ...second, content: '' }, 422, 'undecodable_image'],
    [
      'an image type and no bytes',
      { disposition: '; name="a"', type: 'image/png', content: '' },
      422,
      'undecodable_image',
    ],
    ['an image type and text', { ...token, type: 'image/png' }, 422, 'undecodable_image'],
    [
      'an image type that is not decoded',
      { ...token, type: 'image/gif', content: 'GIF89a' },
      415,
      'unsupported_image_format',
    ],
  ])('that has %s is refused, never passed over', async (_what, part, status, code) => {
    expect(await post(form([second, part]))).toEqual([status, code])
  })

  it('is told by its first bytes however they come', async () => {
    const { app, model } = await build()
    const client = await keepAliveClient(app)
    const body = form([{ ...token, content: png }, token, second])
    const single = Array.from(body, (byte) => Buffer.of(byte))
    expect((await client('/classify', FORM, single)).status).toBe(200)
    expect(model.calls[0]?.inputs).toHaveLength(2)
  })
})

describe('a form of many parts', () => {
  it('has as many pictures and as many other parts as are allowed, in any order', async () => {
    const pictures = new Array<Part>(8).fill({ ...token, content: png })
    const others = new Array<Part>(8).fill(token).concat(new Array(8).fill(empty))
    expect(await post(form([...others, ...pictures]))).toHaveLength(8)
    expect(await post(form([...pictures, ...others]))).toHaveLength(8)
  })

  it.each<[string, Part[]]>([
    ['a picture too many', new Array<Part>(9).fill({ ...token, content: png })],
    ['a field too many', [second, ...new Array<Part>(17).fill(token)]],
    ['an empty file input too many', [second, ...new Array<Part>(17).fill(empty)]],
    ['hundreds of fields', new Array<Part>(500).fill(token)],
  ])('with %s is refused, on a connection that can be used again', async (_what, parts) => {
    const { app } = await build()
    const client = await keepAliveClient(app)
    const body = form(parts)
    for (const sent of [body, [body.subarray(0, 100), body.subarray(100)]]) {
      const { status, code } = await client('/classify', FORM, sent)
      expect([status, code]).toEqual([413, 'too_many_inputs'])
      expect((await client('/classify', 'application/octet-stream', floats(1, 2, 3, 4, 5, 6))).status).toBe(200)
    }
  })

  it('does not keep the bytes of fields', async () => {
    const { app } = await build({ limits: { maxBodyBytes: 1e9, maxPendingBytes: 1e9, requestTimeoutMs: 60_000 } })
    const client = await keepAliveClient(app)
    const chunk = Buffer.alloc(1_000_000, 'a')
    function* body(): Generator<Buffer> {
      yield Buffer.from('--b\r\ncontent-disposition: form-data; name="a"\r\n\r\n')
      for (let i = 0; i < 400; i++) yield chunk
      yield Buffer.from('\r\n')
      yield form([second])
    }
    const before = process.memoryUsage().arrayBuffers
    let most = 0
    const watch = setInterval(() => {
      most = Math.max(most, process.memoryUsage().arrayBuffers - before)
    }, 5)
    expect((await client('/classify', FORM, body())).status).toBe(200)
    clearInterval(watch)
    expect(most).toBeLessThan(200_000_000)
  })
})

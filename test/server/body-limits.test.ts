import { describe, expect, it } from 'vitest'
import { BodyBudget } from '../../src/routes/inputs/body-budget.ts'
import { build } from '../helpers/build.ts'
import { keepAliveClient } from '../helpers/keep-alive.ts'
import { floats } from '../helpers/pictures.ts'

const TENSORS = 'application/octet-stream'
const FORM = 'multipart/form-data; boundary=b'
const good = floats(1, 2, 3, 4, 5, 6)

function* chunks(count: number, chunk: Buffer): Generator<Buffer> {
  for (let i = 0; i < count; i++) yield chunk
}

function* form(part: Generator<Buffer>): Generator<Buffer> {
  yield Buffer.from('--b\r\ncontent-disposition: form-data; name="f"; filename="f.png"\r\n\r\n')
  yield* part
  yield Buffer.from('\r\n--b--\r\n')
}

describe('a body over the limit', () => {
  const megabyte = Buffer.alloc(1_000_000)
  const field = Buffer.from('--b\r\ncontent-disposition: form-data; name="a"\r\n\r\n1\r\n')

  it.each([
    ['announced', TENSORS, () => Buffer.alloc(20_000_000)],
    ['of unannounced length', TENSORS, () => chunks(20, megabyte)],
    ['of one part of 80 MB', FORM, () => form(chunks(80, megabyte))],
    ['of 100,000 parts', FORM, () => chunks(100_000, field)],
    ['of 100,000 parts, announced', FORM, () => Buffer.concat([...chunks(100_000, field)])],
  ])('%s is refused, and the client hears it and can use the connection again', async (_name, type, body) => {
    const { app } = await build()
    const post = await keepAliveClient(app)
    expect((await post('/classify', type, body())).status).toBe(413)
    expect((await post('/classify', TENSORS, good)).status).toBe(200)
  })
})

describe('a body that nobody reads', () => {
  const chunk = Buffer.alloc(60_000)

  it.each([
    ['of a type that is not listed', 'image/gif', '/classify', 415],
    ['to a path that does not exist', TENSORS, '/nowhere', 404],
    ['to a path that takes none', TENSORS, '/livez', 405],
  ])('%s flows off, announced or not, and the connection can be used again', async (_name, type, path, status) => {
    const { app } = await build()
    const post = await keepAliveClient(app)
    for (const body of [Buffer.alloc(90_000), chunks(50, chunk)]) {
      expect((await post(path, type, body)).status).toBe(status)
      expect((await post('/classify', TENSORS, good)).status).toBe(200)
    }
  })
})

describe('the bytes of all bodies together', () => {
  const budget = (): BodyBudget => new BodyBudget({ maxBodyBytes: 1000, maxPendingBytes: 1500 })

  it('are reserved as announced, and given back', () => {
    const held = budget()
    const first = held.open(1000)
    expect(() => held.open(501)).toThrow(expect.objectContaining({ code: 'overloaded', retryAfterS: 1 }))
    const second = held.open(500)
    first.close()
    second.close()
    second.close()
    expect(held.pendingBytes).toBe(0)
  })

  it('are counted as they come where they were not announced', () => {
    const held = budget()
    held.open(800)
    const chunked = held.open(0)
    chunked.count(600)
    expect(() => chunked.count(200)).toThrow(expect.objectContaining({ code: 'overloaded' }))
    chunked.close()
    expect(held.pendingBytes).toBe(800)
  })

  it('of one body are bounded too', () => {
    expect(() => budget().open(1001)).toThrow(expect.objectContaining({ code: 'payload_too_large' }))
    const chunked = budget().open(0)
    chunked.count(1000)
    expect(() => chunked.count(1)).toThrow(expect.objectContaining({ code: 'payload_too_large' }))
  })

  it('stay within bounds, and go to nothing when every request has been answered', async () => {
    const limits = {
      maxBodyBytes: 100_000,
      maxPendingBytes: 100_000,
      maxInputs: 8,
      maxJsonValues: 2000,
      requestTimeoutMs: 10_000,
    }
    const { app } = await build({ services: { limits } })
    const post = await keepAliveClient(app)
    for (let i = 0; i < 20; i++) {
      for (const body of [good, [good], Buffer.alloc(99_999), [Buffer.alloc(99_999)]]) {
        expect((await post('/classify', TENSORS, body)).code).not.toBe('overloaded')
      }
    }
  })
})

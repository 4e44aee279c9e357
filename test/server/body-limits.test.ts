import { once } from 'node:events'
import { connect } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import { StallingClock } from '../batching/fake-engine.ts'
import { build } from '../helpers/build.ts'
import { FakeClock } from '../helpers/fake-clock.ts'
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

describe('a body that comes too slowly', () => {
  it.each([
    ['octet-stream', TENSORS],
    ['a form', FORM],
  ])('is cut off with 408, and holds nothing back: %s', async (_, type) => {
    const clock = new FakeClock()
    const { app } = await build({ services: { clock, refusal: () => undefined } })
    await app.listen({ port: 0, host: '127.0.0.1' })
    const socket = connect((app.server.address() as { port: number }).port, '127.0.0.1')
    onTestFinished(() => void socket.destroy())
    let text = ''
    socket.on('data', (chunk) => {
      text += String(chunk)
    })
    const ended = once(socket, 'end')
    const reading = once(app.server, 'request').then(([request]) => once(request, 'data'))
    socket.write(`POST /classify HTTP/1.1\r\nhost: x\r\ncontent-type: ${type}\r\ncontent-length: 90000\r\n\r\n--b\r\n`)
    await reading
    for (let second = 0; second < 7; second++) await clock.advance(1000)
    await ended
    expect(text).toMatch(/^HTTP\/1.1 408 [\s\S]*\r\nconnection: close\r\n/i)
    expect(text).toContain('"code":"request_timeout"')
  })

  it('is not judged by what this process was late to read', async () => {
    const clock = new StallingClock()
    const { app } = await build({ services: { clock, refusal: () => undefined } })
    await app.listen({ port: 0, host: '127.0.0.1' })
    const socket = connect((app.server.address() as { port: number }).port, '127.0.0.1')
    onTestFinished(() => void socket.destroy())
    const reading = once(app.server, 'request').then(([request]) => once(request, 'data'))
    const answered = once(socket, 'data')
    socket.write(`POST /classify HTTP/1.1\r\nhost: x\r\ncontent-type: ${TENSORS}\r\ncontent-length: 24\r\n\r\n`)
    socket.write(good.subarray(0, 8))
    await reading
    clock.stall(20_000)
    await clock.advance(1000)
    socket.write(good.subarray(8))
    expect(String((await answered)[0])).toMatch(/^HTTP\/1.1 200 /)
  })
})

describe('the bytes of all bodies together, over HTTP', () => {
  it('stay within bounds, and go to nothing when every request has been answered', async () => {
    const { app } = await build({ limits: { maxBodyBytes: 100_000, maxPendingBytes: 100_000 } })
    const post = await keepAliveClient(app)
    for (let i = 0; i < 20; i++) {
      for (const body of [good, [good], Buffer.alloc(99_999), [Buffer.alloc(99_999)]]) {
        expect((await post('/classify', TENSORS, body)).code).not.toBe('overloaded')
      }
    }
  })
})

import { connect } from 'node:net'
import { describe, expect, it } from 'vitest'
import { build } from '../helpers/build.ts'
import { answer, FakeModel } from '../helpers/fake-model.ts'
import { GOOD_REQUEST, HASTY, listening } from '../reliability/raw-client.ts'

/** Sends raw bytes and returns all that comes back until the server closes the connection. */
async function exchange(bytes: string): Promise<string> {
  const { app } = await build()
  await app.listen({ port: 0, host: '127.0.0.1' })
  const socket = connect((app.server.address() as { port: number }).port, '127.0.0.1')
  socket.write(bytes)
  let answer = ''
  socket.on('data', (chunk) => {
    answer += chunk
  })
  await new Promise((resolve) => socket.on('close', resolve))
  return answer
}

describe('HTTP that cannot be parsed', () => {
  it.each([
    ['garbage', 'hello\r\n\r\n', 400],
    ['no Host', 'GET /livez HTTP/1.1\r\nconnection: close\r\n\r\n', 400],
    [
      'Content-Length with Transfer-Encoding',
      'POST /classify HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
      400,
    ],
    ['two lengths', 'POST /classify HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\nabcd', 400],
    [
      'a bad chunk',
      'POST /classify HTTP/1.1\r\nhost: x\r\ncontent-type: image/png\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n',
      400,
    ],
    [
      'Transfer-Encoding in HTTP/1.0',
      'POST /classify HTTP/1.0\r\nconnection: keep-alive\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
      400,
    ],
    ['20 KB of headers', `GET /livez HTTP/1.1\r\nhost: x\r\na: ${'a'.repeat(20_000)}\r\n\r\n`, 431],
  ])('%s is answered, and the connection closed', async (_name, bytes, status) => {
    const answer = await exchange(bytes)
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `))
    expect(answer.toLowerCase()).toContain('connection: close')
  })
})

describe('garbage behind a whole request', () => {
  it('does not replace its answer, and ends the connection after it', async () => {
    const model = new FakeModel()
    let finish = (): void => {}
    model.respond = (inputs) =>
      new Promise((resolve) => {
        finish = () => resolve(inputs.map(answer))
      })
    const { open } = await listening({ models: [model] })
    const { closed, statuses } = await open(Buffer.concat([GOOD_REQUEST, Buffer.from('hello\r\n\r\n')]))
    await expect.poll(() => model.calls.length, { timeout: 30_000, interval: 5 }).toBe(1)
    finish()
    await closed
    expect(statuses()).toEqual([200])
  })
})

describe('the rest of a request that was answered before its body had come', () => {
  const head = 'POST /nowhere HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n'
  it.each([
    ['that never comes', 'content-length: 1000\r\n\r\n{', ''],
    ['that is malformed', 'transfer-encoding: chunked\r\n\r\n', 'zz\r\n'],
  ])('%s ends the connection without a second answer', async (_name, request, rest) => {
    const { open } = await listening(HASTY)
    const connection = await open(head + request)
    await connection.answers(1)
    connection.socket.write(rest)
    await connection.closed
    expect(connection.statuses()).toEqual([404])
  })
})

describe('a request for an upgrade', () => {
  it('ends the connection with its answer, since what comes behind it is lost', async () => {
    const { open } = await listening()
    const connection = await open('GET /livez HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n')
    await connection.closed
    expect(connection.statuses()).toEqual([200])
  })

  it('keeps the connection if it has a body', async () => {
    const { open } = await listening()
    const upgrade = GOOD_REQUEST.toString('latin1').replace('host: x', 'host: x\r\nconnection: upgrade\r\nupgrade: h2c')
    const connection = await open(Buffer.from(upgrade, 'latin1'))
    await connection.answers(1)
    connection.socket.write(GOOD_REQUEST)
    await connection.answers(2)
    expect(connection.statuses()).toEqual([200, 200])
  })
})

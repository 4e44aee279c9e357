import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import { Connections } from '../../src/server/connections.ts'
import { FakeClock } from '../helpers/fake-clock.ts'

/** A server that answers `/` at once, and everything else when the test says so. */
async function setUp() {
  const waiting: ServerResponse[] = []
  const server = createServer((request, response) => {
    request.resume()
    if (request.url === '/') response.end('ok')
    else waiting.push(response)
  })
  const clock = new FakeClock()
  const connections = new Connections(server, clock)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })

  /** Resolves when the server has seen what was sent. */
  async function open(bytes: string): Promise<{ socket: Socket; closed: () => boolean }> {
    const arrived = once(server, 'connection') as Promise<[Socket]>
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
    let closed = false
    socket
      .on('error', () => {})
      .on('close', () => {
        closed = true
      })
    socket.resume()
    const [serverSide] = await arrived
    if (bytes !== '') {
      socket.write(bytes)
      while (serverSide.bytesRead < bytes.length) await new Promise((resolve) => setImmediate(resolve))
    }
    return { socket, closed: () => closed }
  }

  /** Looks through the connections twice, `ms` apart, and lets clients notice what was closed. */
  async function sweep(ms: number): Promise<void> {
    connections.closeUnused()
    await clock.advance(ms)
    connections.closeUnused()
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  return { open, sweep, waiting }
}

const head = (path: string, length: number) => `POST ${path} HTTP/1.1\r\nhost: x\r\ncontent-length: ${length}\r\n\r\n`

describe('a closing server', () => {
  it.each([
    ['never sent anything', ''],
    ['sent half a request line', 'GET / HT'],
    ['was answered and is idle', 'GET / HTTP/1.1\r\nhost: x\r\n\r\n'],
  ])('closes a connection that %s', async (_name, bytes) => {
    const { open, sweep } = await setUp()
    const { closed } = await open(bytes)
    await sweep(100)
    expect(closed()).toBe(true)
  })

  it('leaves one alone whose request is being worked on, however long that takes', async () => {
    const { open, sweep, waiting } = await setUp()
    const { socket, closed } = await open(`${head('/slow', 3)}abc`)
    await sweep(1_000_000)
    expect(closed()).toBe(false)
    const answered = once(socket, 'data')
    waiting[0]?.end('done')
    await answered
    await sweep(100)
    expect(closed()).toBe(true)
  })

  it('gives a client a while to send the rest of a request, and no longer', async () => {
    const { open, sweep } = await setUp()
    const { closed } = await open(`${head('/slow', 10)}abc`)
    await sweep(1000)
    expect(closed()).toBe(false)
    await sweep(1000)
    expect(closed()).toBe(true)
  })

  it('starts that while anew with every byte', async () => {
    const { open, sweep } = await setUp()
    const { socket, closed } = await open(`${head('/slow', 10)}abc`)
    for (const byte of 'defg') {
      await sweep(1500)
      socket.write(byte)
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    expect(closed()).toBe(false)
  })
})

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

  async function open(bytes: string) {
    const arrived = once(server, 'connection') as Promise<[Socket]>
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
    socket.on('error', () => {})
    socket.resume()
    const [serverSide] = await arrived
    /** Resolves when the server has seen it. */
    async function send(more: string): Promise<void> {
      const seen = serverSide.bytesRead
      socket.write(more)
      while (serverSide.bytesRead < seen + more.length) await new Promise((resolve) => setImmediate(resolve))
    }
    await send(bytes)
    return { socket, send, closed: () => serverSide.destroyed }
  }

  /** Looks through the connections twice, `ms` apart. */
  async function sweep(ms: number): Promise<void> {
    connections.closeUnused()
    await clock.advance(ms)
    connections.closeUnused()
  }
  return { open, sweep, waiting }
}

const head = (path: string, length: number) => `POST ${path} HTTP/1.1\r\nhost: x\r\ncontent-length: ${length}\r\n\r\n`

describe('a closing server', () => {
  it.each([
    ['never sent anything', ''],
    ['sent half a request line', 'GET / HT'],
  ])('closes a connection that %s', async (_name, bytes) => {
    const { open, sweep } = await setUp()
    const { closed } = await open(bytes)
    await sweep(100)
    expect(closed()).toBe(true)
  })

  it('closes a connection that was answered and is idle', async () => {
    const { open, sweep } = await setUp()
    const { socket, send, closed } = await open('')
    const answered = once(socket, 'data')
    await send('GET / HTTP/1.1\r\nhost: x\r\n\r\n')
    await answered
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
    const { send, closed } = await open(`${head('/slow', 10)}abc`)
    for (const byte of 'defg') {
      await sweep(1500)
      await send(byte)
    }
    expect(closed()).toBe(false)
  })
})

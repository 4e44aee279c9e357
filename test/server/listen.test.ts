import { lookup } from 'node:dns/promises'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { networkInterfaces } from 'node:os'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { listen } from '../../src/server/listen.ts'
import { build } from '../helpers/build.ts'
import { answer } from '../helpers/fake-model.ts'
import { buildGrpc } from '../helpers/grpc.ts'

// On Linux all of 127.0.0.0/8 is the loopback, so that two addresses are there without IPv6 as well.
const TWO_ADDRESSES = async (): Promise<string[]> => ['127.0.0.1', '127.0.0.2']
const ADDRESSES = Object.values(networkInterfaces())
  .flatMap((addresses) => addresses ?? [])
  .map(({ address }) => address)

const LOCALHOST = { HOST: 'localhost', PORT: 0 }
const portOf = ({ server }: { server: { address(): unknown } }): number => (server.address() as AddressInfo).port

/** What the server sends before it ends the connection, for bytes sent to it. */
async function exchange(host: string, port: number, bytes: string): Promise<string> {
  const socket = connect(port, host)
  onTestFinished(() => {
    socket.destroy()
  })
  // A connection over the limit is reset.
  socket.on('error', () => {})
  let text = ''
  socket.on('data', (chunk) => {
    text += chunk
  })
  socket.write(bytes)
  await once(socket, 'close')
  return text
}

/** A connection that was answered once. */
async function idleConnection(host: string, port: number): Promise<Socket> {
  const socket = connect(port, host)
  socket.write('GET /livez HTTP/1.1\r\nhost: x\r\n\r\n')
  await once(socket, 'data')
  return socket.resume()
}

const ask = (host: string, port: number, headers = '') =>
  exchange(host, port, `GET /livez HTTP/1.1\r\nhost: x\r\nconnection: close\r\n${headers}\r\n`)

describe('a server at HOST=localhost', () => {
  it('answers at every address that the name has here', async () => {
    const { app } = await build()
    await listen({ app }, LOCALHOST)
    const hosts = (await lookup('localhost', { all: true })).map(({ address }) => address)
    for (const host of hosts.filter((address) => ADDRESSES.includes(address))) {
      expect(await ask(host, portOf(app))).toMatch(/^HTTP\/1.1 200 /)
    }
  })

  it.skipIf(!ADDRESSES.includes('::1'))('answers in both versions of IP', async () => {
    const { app } = await build()
    const hosts = ['127.0.0.1', '::1']
    await listen({ app }, LOCALHOST, async () => hosts)
    for (const host of hosts) expect(await ask(host, portOf(app))).toMatch(/^HTTP\/1.1 200 /)
  })

  it('answers alike at each: what is not HTTP, what is expected of it, what comes too late', async () => {
    const { app } = await build({ limits: { maxBodyBytes: 1000, requestTimeoutMs: 300 } })
    await listen({ app }, LOCALHOST, TWO_ADDRESSES)
    const port = portOf(app)
    const answers = await Promise.all(
      (await TWO_ADDRESSES()).map((host) =>
        Promise.all([
          exchange(host, port, 'no HTTP\r\n\r\n'),
          ask(host, port, 'expect: something\r\n'),
          exchange(host, port, 'GET / HT'),
        ]),
      ),
    )
    for (const [malformed, expectant, late] of answers) {
      expect(malformed).toMatch(/^HTTP\/1.1 400 [\s\S]*application\/problem\+json[\s\S]*"code":"malformed_body"/)
      expect(expectant).toMatch(/^HTTP\/1.1 200 /)
      expect(late).toMatch(/^HTTP\/1.1 408 [\s\S]*"code":"request_timeout"/)
    }
  })

  it('bounds connections at each', async () => {
    const { app } = await build({ app: { connections: { maximum: 1, maxRequests: 0, keepAliveTimeoutMs: 5000 } } })
    await listen({ app }, LOCALHOST, TWO_ADDRESSES)
    for (const host of await TWO_ADDRESSES()) {
      const held = connect(portOf(app), host)
      onTestFinished(() => {
        held.destroy()
      })
      await once(held, 'connect')
      expect(await ask(host, portOf(app))).toBe('')
    }
  })

  it('is closed at each, and what is under way is answered first', async () => {
    const { app, model } = await build()
    let release = (): void => {}
    const released = new Promise<void>((resolve) => {
      release = resolve
    })
    model.respond = async (inputs) => released.then(() => inputs.map(answer))
    await listen({ app }, LOCALHOST, TWO_ADDRESSES)
    const [port, hosts] = [portOf(app), await TWO_ADDRESSES()]
    const body = JSON.stringify({
      inputs: [
        {
          tensor: [
            [0, 0, 0],
            [0, 0, 0],
          ],
        },
      ],
    })
    const request = `POST /classify HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n`
    const answers = hosts.map((host) => exchange(host, port, request + body))
    const idle = await Promise.all(hosts.map((host) => idleConnection(host, port)))
    while (model.calls.length < hosts.length) await new Promise((resolve) => setImmediate(resolve))
    const closed = app.close()
    await Promise.all(idle.map((socket) => once(socket, 'close')))
    for (const host of hosts) {
      const [refusal] = (await once(connect(port, host), 'error')) as [NodeJS.ErrnoException]
      expect(refusal.code).toBe('ECONNREFUSED')
    }
    release()
    for (const text of await Promise.all(answers)) expect(text).toMatch(/^HTTP\/1.1 200 /)
    await closed
  })

  it('serves at the first address alone where another cannot be had, and says so', async () => {
    const log: string[] = []
    const { app } = await build({ log })
    await listen({ app }, LOCALHOST, async () => ['127.0.0.1', '192.0.2.1'])
    expect(await ask('127.0.0.1', portOf(app))).toMatch(/^HTTP\/1.1 200 /)
    expect(log.filter((line) => /localhost is 192.0.2.1 too/.test(line))).toHaveLength(1)
  })
})

describe('gRPC', () => {
  it('is at every address of HTTP, and names a GRPC_PORT that is taken', async () => {
    const { app, grpc } = await buildGrpc()
    const HTTP2 = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'
    const log: string[] = []
    vi.spyOn(app.log, 'info').mockImplementation((line: unknown) => void log.push(String(line)))
    await listen({ app, grpc }, { ...LOCALHOST, GRPC_PORT: 0 }, TWO_ADDRESSES)
    const ports = log.flatMap((line) => /^gRPC server .*:(\d+)$/.exec(line)?.slice(1) ?? [])
    expect(ports).toHaveLength(2)
    const GRPC_PORT = Number(ports[0])
    for (const host of await TWO_ADDRESSES()) {
      const socket = connect(GRPC_PORT, host)
      socket.write(HTTP2)
      // A frame of settings.
      expect(((await once(socket, 'data')) as [Buffer])[0][3]).toBe(4)
      socket.destroy()
    }
    const other = await buildGrpc()
    const refusal = listen(other, { HOST: '127.0.0.1', PORT: 0, GRPC_PORT })
    await expect(refusal).rejects.toThrow(`GRPC_PORT is ${GRPC_PORT}: cannot listen there`)
  })
})

describe('a server that cannot listen', () => {
  it.each([
    ['x86_64-conda-linux-gnu', 'what conda sets'],
    ['no such host', 'no name at all'],
    ['192.0.2.1', 'an address of another machine'],
  ])('names HOST and its value: %s (%s)', async (HOST) => {
    const { app } = await build()
    const refusal = listen({ app }, { HOST, PORT: 0 })
    await expect(refusal).rejects.toThrow(`HOST is "${HOST}": cannot listen there`)
    await expect(refusal).rejects.toMatchObject({ name: 'ConfigError' })
  })

  it.each(['127.0.0.1', 'localhost'])('names a PORT that is taken at %s', async (HOST) => {
    const { app } = await build()
    const other = createServer().listen(0, '127.0.0.1')
    await once(other, 'listening')
    onTestFinished(() => {
      other.close()
    })
    const PORT = portOf({ server: other })
    await expect(listen({ app }, { HOST, PORT })).rejects.toThrow(`PORT is ${PORT}: cannot listen there`)
  })
})

import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import { grpcClient } from '../helpers/grpc.ts'
import { parseAnswers } from '../helpers/http-answers.ts'
import { classify, ITEM_BYTES, startReady, startServer } from '../helpers/server-process.ts'

/** Sends the process SIGTERM as soon as it has set a handler for it, while it loads its first modules. */
const SIGTERM_AT_ONCE = `data:text/javascript,process.on('newListener', (name) => {
  if (name === 'SIGTERM') setImmediate(() => process.kill(process.pid, name))
})`

const REQUEST = Buffer.concat([
  Buffer.from(
    `POST /classify HTTP/1.1\r\nhost: x\r\ncontent-type: application/octet-stream\r\ncontent-length: ${ITEM_BYTES}\r\n\r\n`,
  ),
  Buffer.alloc(ITEM_BYTES),
])

/** Resolves when the kernel has taken all of it. */
async function send(port: number, bytes: string | Buffer): Promise<Socket> {
  const socket = connect(port, '127.0.0.1').on('error', () => {})
  onTestFinished(() => {
    socket.destroy()
  })
  await once(socket, 'connect')
  await new Promise((done) => socket.write(bytes, done))
  return socket
}

/** All that comes until the server closes the connection. */
async function statuses(socket: Socket): Promise<number[]> {
  let text = ''
  for await (const chunk of socket) text += (chunk as Buffer).toString('latin1')
  return parseAnswers(text).answers.map(({ status }) => status)
}

describe('SIGTERM', () => {
  it('while the program is being loaded ends it, with nothing to finish', async () => {
    const { exited, stderr } = startServer({ execArgv: ['--import', SIGTERM_AT_ONCE] })
    expect(await exited).toBe(0)
    expect(stderr()).toBe('')
  })

  it('while the model is being loaded ends it without the delay that is for balancers', async () => {
    const { child, exited, lines, logged } = startServer({ env: { DRAIN_DELAY_MS: '600000' } })
    await logged(/^Server listening/)
    child.kill('SIGTERM')
    expect(await exited).toBe(0)
    expect(lines.map(({ msg }) => msg)).not.toContain('ready')
  })

  it('lets it go on serving for DRAIN_DELAY_MS, not ready and alive; more of them change nothing', async () => {
    const { child, url, lines, logged } = await startReady({ env: { DRAIN_DELAY_MS: '600000' } })
    const draining = logged(/^SIGTERM/)
    child.kill('SIGTERM')
    await draining
    for (let i = 0; i < 3; i++) {
      child.kill('SIGTERM')
      const [ready, alive, answer] = await Promise.all([fetch(`${url}/readyz`), fetch(`${url}/livez`), classify(url)])
      expect([ready.status, alive.status, answer.status]).toEqual([503, 200, 200])
      expect(answer.headers.get('connection')).toBe('close')
    }
    expect(lines.filter(({ msg }) => /shutting down/.test(msg))).toHaveLength(1)
  })

  it('to the whole process group, as from a terminal or npm, loses nothing that was sent before it', async () => {
    const { child, exited, lines, port, url } = await startReady({ detached: true, env: { DRAIN_DELAY_MS: '1000' } })
    const sockets = await Promise.all(Array.from({ length: 50 }, () => send(port, REQUEST)))
    process.kill(-(child.pid as number), 'SIGTERM')
    expect(await Promise.all(sockets.map(statuses))).toEqual(sockets.map(() => [200]))
    expect(await exited).toBe(0)
    expect(lines.map(({ msg }) => msg).filter((msg) => /engine failed/.test(msg))).toEqual([])
    expect(lines.at(-1)).toMatchObject({ msg: 'done' })
    await expect(fetch(`${url}/livez`)).rejects.toThrow()
  })

  it('lets gRPC end too: health says so first, and clients that say nothing are not waited for', async () => {
    const { child, exited, lines, logged } = await startReady({
      env: { GRPC_PORT: '0', DRAIN_DELAY_MS: '500', SHUTDOWN_TIMEOUT_MS: '600000' },
    })
    const { msg } = lines.find((line) => /^gRPC server listening/.test(line.msg)) ?? { msg: '' }
    const port = Number(/:(\d+)$/.exec(msg)?.[1])
    const client = grpcClient(port)
    await send(port, '')
    expect((await client.call('ServerReady')).message).toEqual({ ready: true })
    const draining = logged(/^SIGTERM/)
    child.kill('SIGTERM')
    await draining
    expect((await client.call('ServerReady')).message).toEqual({ ready: false })
    expect(await exited).toBe(0)
  })

  it('does not wait for clients that say nothing', async () => {
    const { child, exited, port } = await startReady({ env: { SHUTDOWN_TIMEOUT_MS: '600000' } })
    for (const bytes of ['', 'GET / HT', 'POST /classify HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\nabc']) {
      await send(port, bytes)
    }
    await fetch(`http://127.0.0.1:${port}/livez`)
    child.kill('SIGTERM')
    expect(await exited).toBe(0)
  })
})

import { once } from 'node:events'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { onTestFinished } from 'vitest'
import { type BuildOptions, build } from '../helpers/build.ts'
import { type HttpAnswer, parseAnswers } from '../helpers/http-answers.ts'
import { floats } from '../helpers/pictures.ts'

export const GOOD_BODY = floats(1, 2, 3, 4, 5, 6)
/** A whole request that is answered with 200. */
export const GOOD_REQUEST = Buffer.concat([
  Buffer.from(
    `POST /classify HTTP/1.1\r\nhost: x\r\ncontent-type: application/octet-stream\r\ncontent-length: ${GOOD_BODY.length}\r\n\r\n`,
  ),
  GOOD_BODY,
])

/** One TCP connection, and all that came back on it. */
export interface RawConnection {
  socket: Socket
  received: () => HttpAnswer[]
  /** Of the answers so far. */
  statuses: () => number[]
  /** Resolves when the connection has ended, whoever ended it. */
  closed: Promise<void>
  /** Resolves when as many answers as this have come. */
  answers: (count: number) => Promise<void>
}

/** Longer than a loaded machine keeps a request waiting. */
export const REQUEST_TIMEOUT_MS = 60_000

/** Clients that are slow lose their connection so soon that a test can wait for it. */
export const HASTY: BuildOptions = { limits: { requestTimeoutMs: 700 } }

/** The application listening. */
export async function listening(options: BuildOptions = {}) {
  const { app, model } = await build({
    ...options,
    limits: { requestTimeoutMs: REQUEST_TIMEOUT_MS, ...options.limits },
    app: { connections: { maximum: 2000, maxRequests: 0, keepAliveTimeoutMs: 5000 }, ...options.app },
  })
  await app.listen({ port: 0, host: '127.0.0.1' })
  const { port } = app.server.address() as AddressInfo

  async function open(bytes: string | Buffer = ''): Promise<RawConnection> {
    const socket = connect(port, '127.0.0.1').setNoDelay()
    let text = ''
    socket.on('error', () => {})
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1')
    })
    const closed = once(socket, 'close').then(() => {})
    onTestFinished(() => {
      socket.destroy()
    })
    await once(socket, 'connect')
    if (bytes.length > 0) socket.write(bytes)
    const received = (): HttpAnswer[] => parseAnswers(text).answers
    const statuses = (): number[] => received().map(({ status }) => status)
    return {
      socket,
      closed,
      received,
      statuses,
      answers: async (count) => {
        while (statuses().length < count && !socket.destroyed) await Promise.race([once(socket, 'data'), closed])
      },
    }
  }

  /** Whether somebody else, on a connection of their own, is served. */
  async function othersAreServed(): Promise<boolean> {
    const other = await open(GOOD_REQUEST)
    await other.answers(1)
    other.socket.destroy()
    return other.statuses()[0] === 200
  }

  return { app, model, port, open, othersAreServed }
}

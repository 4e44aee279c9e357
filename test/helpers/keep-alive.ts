import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import type { FastifyInstance } from 'fastify'
import { onTestFinished } from 'vitest'
import { parseAnswers } from './http-answers.ts'

export interface KeptAnswer {
  status: number
  code: string | undefined
  /** Names in lower case. */
  headers: Map<string, string>
}

/**
 * One connection, used again and again whatever is answered on it: it never gives up a request half sent, as browsers and
 * balancers do not. Starts `app` listening.
 */
export async function keepAliveClient(app: FastifyInstance) {
  await app.listen({ port: 0, host: '127.0.0.1' })
  const socket = connect((app.server.address() as { port: number }).port, '127.0.0.1').setNoDelay()
  onTestFinished(() => {
    socket.destroy()
  })
  const read = answersOf(socket)

  /** A buffer is sent with its length announced, anything else in chunks. */
  return async (path: string, contentType: string, body: Buffer | Iterable<Buffer>): Promise<KeptAnswer> => {
    const announced = Buffer.isBuffer(body)
    const framing = announced ? `content-length: ${body.length}` : 'transfer-encoding: chunked'
    const write = async (bytes: string | Buffer): Promise<void> => {
      if (!socket.write(bytes)) await once(socket, 'drain')
    }
    const answer = read()
    await write(`POST ${path} HTTP/1.1\r\nhost: x\r\ncontent-type: ${contentType}\r\n${framing}\r\n\r\n`)
    for (const chunk of announced ? [body] : body) {
      if (!announced) await write(`${chunk.length.toString(16)}\r\n`)
      await write(chunk)
      if (!announced) await write('\r\n')
    }
    if (!announced) await write('0\r\n\r\n')
    return answer
  }
}

/** Each call gives the next answer. */
function answersOf(socket: Socket): () => Promise<KeptAnswer> {
  let text = ''
  socket.setEncoding('latin1')
  socket.on('data', (chunk) => {
    text += chunk
  })
  return async () => {
    for (;;) {
      const { answers, rest } = parseAnswers(text)
      const [answer] = answers
      if (answer !== undefined) {
        text = rest
        const { code } = JSON.parse(answer.body) as { code?: string }
        return { status: answer.status, code, headers: answer.headers }
      }
      await once(socket, 'data')
    }
  }
}

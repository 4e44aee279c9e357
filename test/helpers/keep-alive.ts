import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import type { FastifyInstance } from 'fastify'
import { onTestFinished } from 'vitest'

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

/** Each call gives the next answer. All that this server says has a Content-Length. */
function answersOf(socket: Socket): () => Promise<KeptAnswer> {
  let text = ''
  socket.setEncoding('latin1')
  socket.on('data', (chunk) => {
    text += chunk
  })
  return async () => {
    for (;;) {
      const headEnd = text.indexOf('\r\n\r\n')
      if (headEnd >= 0) {
        const [line = '', ...fields] = text.slice(0, headEnd).split('\r\n')
        const headers = new Map(fields.map((field) => field.split(/: */, 2) as [string, string]))
        const end = headEnd + 4 + Number(headers.get('content-length'))
        if (text.length >= end) {
          const { code } = JSON.parse(text.slice(headEnd + 4, end)) as { code?: string }
          text = text.slice(end)
          return { status: Number(line.split(' ')[1]), code, headers }
        }
      }
      await once(socket, 'data')
    }
  }
}

import { type ClientHttp2Session, connect } from 'node:http2'
import { type Answer, windowOf } from '../statistics.ts'
import type { Load, LoadResult, LoadTime } from './load.ts'

const INFER = '/inference.GRPCInferenceService/ModelInfer'

/**
 * Clients that send when they have their answer. By HTTP/2 itself: a client library would take more of the machine than the
 * server's side of the protocol.
 */
export class GrpcLoad implements Pick<Load, 'run' | 'close'> {
  readonly #sessions: ClientHttp2Session[]
  readonly #messages: Buffer[]
  #next = 0

  constructor(port: number, messages: Buffer[], clients: number) {
    this.#messages = messages
    this.#sessions = Array.from({ length: clients }, () => connect(`http://127.0.0.1:${port}`))
  }

  async run({ leadS, windowS }: LoadTime): Promise<LoadResult> {
    const start = performance.now()
    const [fromMs, toMs] = [leadS * 1000, (leadS + windowS) * 1000]
    const answers: Answer[] = []
    const errors: Record<string, number> = {}
    const client = async (session: ClientHttp2Session): Promise<void> => {
      while (performance.now() - start < toMs) {
        const sentAt = performance.now()
        const status = await this.#call(session)
        const now = performance.now()
        if (status === '0') answers.push({ atMs: now - start, latencyMs: now - sentAt })
        else errors[status] = (errors[status] ?? 0) + 1
      }
    }
    const before = process.cpuUsage()
    await Promise.all(this.#sessions.map(client))
    const { user, system } = process.cpuUsage(before)
    const window = windowOf(answers, fromMs, toMs)
    return { window, answered: answers.length, errors, generatorUs: (user + system) / answers.length }
  }

  async close(): Promise<void> {
    for (const session of this.#sessions) session.close()
  }

  /** The value of `grpc-status`. */
  #call(session: ClientHttp2Session): Promise<string> {
    const message = this.#messages[this.#next++ % this.#messages.length] as Buffer
    const stream = session.request({
      ':method': 'POST',
      ':path': INFER,
      'content-type': 'application/grpc',
      te: 'trailers',
    })
    return new Promise((done) => {
      stream.on('trailers', (trailers) => done(String(trailers['grpc-status'])))
      stream.on('response', (headers) => headers['grpc-status'] !== undefined && done(String(headers['grpc-status'])))
      stream.on('error', (error) => done(error.message))
      stream.resume().end(message)
    })
  }
}

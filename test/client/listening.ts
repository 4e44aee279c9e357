import type { AddressInfo } from 'node:net'
import type { FastifyInstance } from 'fastify'
import { type ClientOptions, type Clock, type Input, ResnetClient } from '../../src/client/index.ts'
import { type BuildOptions, build } from '../helpers/build.ts'

export const listen = async (app: FastifyInstance, port = 0): Promise<number> => {
  await app.listen({ host: '127.0.0.1', port })
  return (app.server.address() as AddressInfo).port
}

/** The real application over fake models, listening, and a client of it. */
export async function listening(options: BuildOptions = {}, client: Partial<ClientOptions> = {}) {
  const built = await build(options)
  const port = await listen(built.app)
  const baseUrl = `http://127.0.0.1:${port}`
  return { ...built, port, baseUrl, client: new ResnetClient({ baseUrl, ...client }) }
}

/** One input of the fake model, whose embedding begins with the third value. */
export const tensor = (...values: number[]): Input => ({
  tensor: Float32Array.from({ length: 6 }, (_, i) => values[i] ?? 0),
})

/** Inputs that differ: the embedding of each begins with its number. */
export function* numbered(count: number): Generator<Input> {
  for (let i = 0; i < count; i++) yield tensor(0, 0, i)
}

/** Waits pass at once, and are noted (ms); the time that a request may take never ends. */
export class HurriedClock implements Clock {
  readonly waits: number[] = []
  readonly #timeoutMs: number

  constructor(timeoutMs = 60_000) {
    this.#timeoutMs = timeoutMs
  }

  now(): number {
    return 0
  }

  after(ms: number, callback: () => void): () => void {
    if (ms === this.#timeoutMs) return () => {}
    this.waits.push(ms)
    const immediate = setImmediate(callback)
    return () => clearImmediate(immediate)
  }
}

export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const item of items) all.push(item)
  return all
}

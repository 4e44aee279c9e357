import { lookup } from 'node:dns/promises'
import { once } from 'node:events'
import type { AddressInfo, Server } from 'node:net'
import type { FastifyInstance } from 'fastify'
import { type Config, ConfigError } from './config.ts'
import type { Serving } from './serving.ts'

/** What the operating system says of a port; everything else that it refuses is the address's fault. */
const PORT_ERRORS = ['EADDRINUSE', 'EACCES', 'ERR_SOCKET_BAD_PORT']

type Lookup = (name: string) => Promise<string[]>

/**
 * Binds PORT, and GRPC_PORT if there is one, at HOST, and at every address of `localhost`, since some clients try only one
 * of them. Throws ConfigError that names HOST or the port. An address of `localhost` beyond the first that cannot be had is
 * passed over, with a warning.
 */
export async function listen(
  { app, grpc }: Pick<Serving, 'app'> & Partial<Pick<Serving, 'grpc'>>,
  { HOST, PORT, GRPC_PORT = 0 }: Pick<Config, 'HOST' | 'PORT'> & Partial<Pick<Config, 'GRPC_PORT'>>,
  lookUp: Lookup = addressesOf,
): Promise<void> {
  const [first = HOST, ...others] = await named(HOST, `PORT is ${PORT}`, async () =>
    HOST === 'localhost' ? lookUp(HOST) : [],
  )
  await named(HOST, `PORT is ${PORT}`, () => app.listen({ host: first, port: PORT }))
  const { port } = app.server.address() as AddressInfo
  for (const host of others) await listenAlso(app, 'Server', app.createListener(), { host, port })
  if (grpc === undefined) return
  const listener = grpc.createListener()
  await named(HOST, `GRPC_PORT is ${GRPC_PORT}`, () =>
    bind(app, 'gRPC server', listener, { host: first, port: GRPC_PORT }),
  )
  const { port: grpcPort } = listener.address() as AddressInfo
  for (const host of others) await listenAlso(app, 'gRPC server', grpc.createListener(), { host, port: grpcPort })
}

/** What `bind` does, with a ConfigError that names the port's option or HOST. */
async function named<T>(host: string, port: string, bind: () => Promise<T>): Promise<T> {
  try {
    return await bind()
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (code === undefined) throw error
    const option = PORT_ERRORS.includes(code) ? port : `HOST is "${host}"`
    throw new ConfigError(`${option}: cannot listen there (${message})`, { cause: error })
  }
}

interface Address {
  host: string
  port: number
}

async function bind({ log }: FastifyInstance, name: string, listener: Server, { host, port }: Address): Promise<void> {
  listener.listen({ host, port })
  await once(listener, 'listening')
  const bound = (listener.address() as AddressInfo).port
  log.info(`${name} listening at http://${host.includes(':') ? `[${host}]` : host}:${bound}`)
}

async function listenAlso(app: FastifyInstance, name: string, listener: Server, address: Address): Promise<void> {
  try {
    await bind(app, name, listener, address)
  } catch (error) {
    app.log.warn(`localhost is ${address.host} too, but cannot listen there (${(error as Error).message})`)
  }
}

/** IPv4 first: it works wherever the loopback does, while IPv6 may be named in the hosts file and switched off. */
async function addressesOf(name: string): Promise<string[]> {
  const addresses = await lookup(name, { all: true })
  return [...new Set(addresses.sort((a, b) => a.family - b.family).map(({ address }) => address))]
}

import { lookup } from 'node:dns/promises'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import type { FastifyInstance } from 'fastify'
import { type Config, ConfigError } from './config.ts'

/** What the operating system says of a port; everything else that it refuses is the address's fault. */
const PORT_ERRORS = ['EADDRINUSE', 'EACCES', 'ERR_SOCKET_BAD_PORT']

type Lookup = (name: string) => Promise<string[]>

/**
 * Binds the port at HOST, and at every address of `localhost`, since some clients try only one of them. Throws ConfigError
 * that names HOST or PORT. An address of `localhost` beyond the first that cannot be had is passed over, with a warning.
 */
export async function listen(
  app: FastifyInstance,
  { HOST, PORT }: Pick<Config, 'HOST' | 'PORT'>,
  lookUp: Lookup = addressesOf,
): Promise<void> {
  try {
    const [first = HOST, ...others] = HOST === 'localhost' ? await lookUp(HOST) : []
    await app.listen({ host: first, port: PORT })
    for (const host of others) await listenAlso(app, host)
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (code === undefined) throw error
    const option = PORT_ERRORS.includes(code) ? `PORT is ${PORT}` : `HOST is "${HOST}"`
    throw new ConfigError(`${option}: cannot listen there (${message})`, { cause: error })
  }
}

async function listenAlso(app: FastifyInstance, host: string): Promise<void> {
  const { port } = app.server.address() as AddressInfo
  const listener = app.createListener()
  try {
    listener.listen({ host, port })
    await once(listener, 'listening')
    app.log.info(`Server listening at http://${host.includes(':') ? `[${host}]` : host}:${port}`)
  } catch (error) {
    app.log.warn(`localhost is ${host} too, but cannot listen there (${(error as Error).message})`)
  }
}

/** IPv4 first: it works wherever the loopback does, while IPv6 may be named in the hosts file and switched off. */
async function addressesOf(name: string): Promise<string[]> {
  const addresses = await lookup(name, { all: true })
  return [...new Set(addresses.sort((a, b) => a.family - b.family).map(({ address }) => address))]
}

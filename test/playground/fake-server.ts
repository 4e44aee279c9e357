import type { AddressInfo } from 'node:net'
import { type BuildOptions, build } from '../helpers/build.ts'
import { PLAYGROUND } from './browser.ts'

/** The whole application over fake models, with its page, listening; closed when the test ends. */
export async function fakeServer(options: BuildOptions = {}, atPort = 0) {
  const limits = { maxBodyBytes: 1_000_000, ...options.limits }
  const built = await build({ ...options, limits, app: { playground: PLAYGROUND, ...options.app } })
  await built.app.listen({ host: '127.0.0.1', port: atPort })
  const { port } = built.app.server.address() as AddressInfo
  return { ...built, port, url: `http://127.0.0.1:${port}/` }
}

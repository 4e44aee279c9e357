/** The built server with an engine that computes nothing, configured by the environment as the server itself is. */
import { pino } from 'pino'
import type * as Config from '../../src/server/config.ts'
import type * as Serving from '../../src/server/serving.ts'
import type * as Shutdown from '../../src/server/shutdown.ts'

const dist = new URL('../../dist/server/', import.meta.url)
const built = (name: string): Promise<unknown> => import(new URL(`${name}.js`, dist).href)
const { loadConfig } = (await built('config')) as typeof Config
const { createServing } = (await built('serving')) as typeof Serving
const { shutDown } = (await built('shutdown')) as typeof Shutdown

const config = loadConfig()
const server = await createServing(
  config,
  pino({ level: config.LOG_LEVEL }),
  (reason) => {
    throw new Error(reason)
  },
  new URL('./engine-child.ts', import.meta.url),
)
process.once('SIGTERM', () => void shutDown(server, { drainDelayMs: 0, timeoutMs: 1000 }).then(() => process.exit(0)))
await server.app.listen({ host: config.HOST, port: config.PORT })
if (config.GRPC_PORT !== undefined) server.grpc?.createListener().listen(config.GRPC_PORT, config.HOST)
await server.start()

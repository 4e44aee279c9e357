import { pino } from 'pino'
import { loadConfig } from '../../../src/server/config.ts'
import { createServing } from '../../../src/server/serving.ts'

/** The server as main.ts starts it, with the double in the place of the engine process. Ends with its parent. */
const config = loadConfig()
// The engine processes see only variables that native libraries may read.
for (const name of ['FIXED_MS', 'PER_INPUT_MS', 'TAKES_ALL_THREADS'])
  process.env[`ORT_DOUBLE_${name}`] = process.env[`DOUBLE_${name}`]
const fail = (reason: unknown): void => {
  process.stderr.write(`${String(reason)}\n`)
  process.exit(1)
}
const serving = await createServing(
  config,
  pino({ level: config.LOG_LEVEL }),
  fail,
  new URL('./engine-double.mjs', import.meta.url),
)
await serving.app.listen({ host: config.HOST, port: config.PORT })
await serving.start()
process.on('SIGTERM', () => process.exit(0))

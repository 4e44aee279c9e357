/** Starts an engine process (the module named on the command line), stops it in its tracks, says its id, and exits. */
import { pathToFileURL } from 'node:url'
import { systemClock } from '../../src/batching/clock.ts'
import { EngineProcess } from '../../src/workers/process.ts'

const child = new EngineProcess({
  heartbeatTimeoutMs: 60_000,
  batchTimeoutMs: 60_000,
  clock: systemClock,
  onOutput: () => {},
  onWarning: () => {},
  entry: pathToFileURL(process.argv[2] as string),
})
await child.call('open', { choice: 'wasm', options: { threads: 1, precision: 'auto', tensorflowDir: '/nowhere' } })
process.kill(child.pid as number, 'SIGSTOP')
console.log(child.pid)
process.exit(1)

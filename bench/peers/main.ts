import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { readRepository } from '../../src/repository/repository.ts'
import { progress } from '../progress.ts'
import { machine } from '../results.ts'
import { measurePeers, readReference } from './contest.ts'
import { makeInputs } from './peer-inputs.ts'
import { parsePeerOptions, USAGE } from './peer-options.ts'
import { type PeerResults, peerReport, pythonVersion } from './peer-report.ts'
import { PYTHON } from './peers.ts'

/** Distinct inputs of each kind. */
const INPUTS = 256

async function main(argv: string[]): Promise<void> {
  const options = parsePeerOptions(argv)
  if (options === undefined) {
    process.stdout.write(`${USAGE}\n`)
    return
  }
  const { repository, peers, timing, jsonFile } = options
  const facts = { date: new Date().toISOString(), machine: machine(), python: pythonVersion(PYTHON) }
  const [entry, ...others] = await readRepository(repository)
  if (entry === undefined || others.length > 0) throw new Error(`${repository}: must hold one version of one model`)
  // All servers have the environment of this process.
  Object.assign(process.env, { MODEL_REPOSITORY: repository, PEERS_MODEL: entry.directory })
  progress('writing the model as ONNX')
  execFileSync(PYTHON, ['-B', join(import.meta.dirname, 'served.py')], { stdio: ['ignore', 2, 2] })
  const inputs = await makeInputs(entry.manifest.input, INPUTS)
  const reference = await readReference(inputs)
  if (options.tune) {
    const { tune } = await import('./tune.ts')
    process.stdout.write(`${await tune(peers, inputs, reference, timing)}\n`)
    return
  }

  const results: PeerResults = {
    ...facts,
    rounds: timing.rounds,
    command: ['npm run bench:peers', ...(argv.length > 0 ? ['--', ...argv] : [])].join(' '),
    peers: await measurePeers(peers, inputs, reference, timing),
  }
  mkdirSync(dirname(jsonFile), { recursive: true })
  writeFileSync(jsonFile, `${JSON.stringify(results, null, 2)}\n`)
  process.stdout.write(`${peerReport(results)}\n`)
  if (results.peers.some(({ loads }) => loads.some(({ errors }) => errors > 0))) process.exitCode = 1
}

main(process.argv.slice(2)).catch((error: Error) => {
  progress(error.message)
  process.exitCode = 1
})

import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { readRepository } from '../../src/repository/repository.ts'
import type { LoadResult } from '../load/load.ts'
import { progress } from '../progress.ts'
import { errorCount, machine } from '../results.ts'
import { series } from '../statistics.ts'
import { makeInputs } from './peer-inputs.ts'
import { parsePeerOptions, USAGE } from './peer-options.ts'
import { type PeerLoad, type PeerResult, type PeerResults, peerReport, pythonVersion } from './peer-report.ts'
import { PYTHON } from './peers.ts'
import { readReference, type Visit, visit } from './visit.ts'

const CLIENTS = [32, 1]
/** Distinct inputs of each kind. */
const INPUTS = 256

async function main(argv: string[]): Promise<void> {
  const options = parsePeerOptions(argv)
  if (options === undefined) {
    process.stdout.write(`${USAGE}\n`)
    return
  }
  const { peers, rounds, timing, jsonFile } = options
  const facts = { date: new Date().toISOString(), machine: machine(), python: pythonVersion(PYTHON), rounds }
  const [entry] = readRepository(resolve(import.meta.dirname, '../../models'))
  if (entry === undefined) throw new Error('no model')
  const inputs = await makeInputs(entry.manifest.input, INPUTS)
  const reference = await readReference(inputs)
  if (options.tune) {
    const { tune } = await import('./tune.ts')
    process.stdout.write(`${await tune(peers, inputs, reference, timing)}\n`)
    return
  }

  const visits: Visit[] = []
  for (let round = 0; round < rounds; round++) {
    // Rotated, so that a machine that changes speed favours nobody.
    for (const peer of rotated(peers, Math.round((round * peers.length) / rounds))) {
      progress(`round ${round + 1} of ${rounds}: ${peer.name}`)
      visits.push(await visit(peer, inputs, reference, CLIENTS, timing))
    }
  }
  const results: PeerResults = {
    ...facts,
    command: ['npm run bench:peers', ...(argv.length > 0 ? ['--', ...argv] : [])].join(' '),
    peers: peers.map((peer) => summary(visits.filter((one) => one.peer === peer))),
  }
  mkdirSync(dirname(jsonFile), { recursive: true })
  writeFileSync(jsonFile, `${JSON.stringify(results, null, 2)}\n`)
  process.stdout.write(`${peerReport(results)}\n`)
  if (results.peers.some(({ loads }) => loads.some(({ errors }) => errors > 0))) process.exitCode = 1
}

function rotated<T>(list: T[], by: number): T[] {
  return [...list.slice(by), ...list.slice(0, by)]
}

/** One server's visits, one per round. */
function summary(visits: Visit[]): PeerResult {
  const { peer, loads, precision } = visits[0] as Visit
  return {
    name: peer.name,
    title: peer.title,
    settings: peer.env,
    precision,
    loads: loads.map(({ input, clients }, i): PeerLoad => {
      const measured = visits.map((one) => one.loads[i]?.load as LoadResult)
      const windows = measured.flatMap((load) => load.windows)
      return {
        input,
        clients,
        answersPerS: series(windows.map(({ answersPerS }) => answersPerS)),
        p50Ms: series(windows.map(({ p50Ms }) => p50Ms)),
        p99Ms: series(windows.map(({ p99Ms }) => p99Ms)),
        errors: measured.reduce((sum, load) => sum + errorCount(load), 0),
      }
    }),
    rssMiB: series(visits.map((one) => one.rssMiB)),
    startupMs: series(visits.map((one) => one.startupMs)),
    minCosine: Math.min(...visits.map((one) => one.minCosine)),
  }
}

main(process.argv.slice(2)).catch((error: Error) => {
  progress(error.message)
  process.exitCode = 1
})

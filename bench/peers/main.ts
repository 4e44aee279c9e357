import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { readRepository } from '../../src/model/repository.ts'
import { type LoadResult, measureLoad } from '../load/load.ts'
import { memoryTotalMiB } from '../memory.ts'
import type { Timing } from '../options.ts'
import { progress } from '../progress.ts'
import { errorCount, machine } from '../results.ts'
import { type ServerProcess, withServer } from '../server-process.ts'
import { series } from '../statistics.ts'
import { ask, assertAgreement } from './agreement.ts'
import { makeInputs } from './peer-inputs.ts'
import { type PeerLoad, type PeerResult, type PeerResults, peerReport, pythonVersion } from './peer-report.ts'
import { PEERS, type Peer, type PeerInput, PYTHON, type Vectors } from './peers.ts'

const USAGE = `npm run bench:peers -- [options]
  --quick             one round of short windows
  --rounds <count>    times each server is started and measured, in an order that rotates (default 3)
  --window <seconds>  length of one measurement (default 2)
  --warmup <seconds>  load before it (default 1)
  --only <list>       servers: ${PEERS.map(({ name }) => name).join(', ')}
  --json <file>       results as JSON (default bench/results/peers.json)`

/** Clients of the two loads, and distinct inputs of each kind. */
const CLIENTS = [32, 1]
const INPUTS = 256
/** Inputs whose answers are compared before the load. */
const COMPARED = 16
const KINDS: PeerInput[] = ['tensor', 'png']

type Inputs = Record<PeerInput, Buffer[]>
type Reference = Record<PeerInput, Vectors[]>

interface Visit {
  peer: Peer
  loads: { input: PeerInput; clients: number; load: LoadResult }[]
  rssMiB: number
  startupMs: number
  minCosine: number
}

function parse(argv: string[]) {
  const { values } = parseArgs({
    args: argv,
    options: {
      quick: { type: 'boolean', default: false },
      rounds: { type: 'string', default: '3' },
      window: { type: 'string', default: '2' },
      warmup: { type: 'string', default: '1' },
      only: { type: 'string', default: PEERS.map(({ name }) => name).join(',') },
      json: { type: 'string', default: 'bench/results/peers.json' },
      help: { type: 'boolean', default: false },
    },
  })
  const wanted = values.only.split(',')
  const unknown = wanted.find((name) => !PEERS.some((peer) => peer.name === name))
  if (unknown !== undefined) throw new Error(`--only ${unknown}: no such server\n${USAGE}`)
  const timing: Timing = values.quick
    ? { warmupS: 0.5, windowS: 1, windows: 1 }
    : { warmupS: Number(values.warmup), windowS: Number(values.window), windows: 1 }
  return {
    help: values.help,
    peers: PEERS.filter(({ name }) => wanted.includes(name)),
    rounds: values.quick ? 1 : Number(values.rounds),
    timing,
    jsonFile: resolve(values.json),
  }
}

async function main(argv: string[]): Promise<void> {
  const { help, peers, rounds, timing, jsonFile } = parse(argv)
  if (help) {
    process.stdout.write(`${USAGE}\n`)
    return
  }
  const facts = { date: new Date().toISOString(), machine: machine(), python: pythonVersion(PYTHON), rounds }
  const [entry] = readRepository(resolve(import.meta.dirname, '../../models'))
  if (entry === undefined) throw new Error('no model')
  const inputs = await makeInputs(entry.manifest.input, INPUTS)
  const reference = await readReference(inputs)

  const visits: Visit[] = []
  for (let round = 0; round < rounds; round++) {
    for (const peer of rotated(peers, Math.round((round * peers.length) / rounds))) {
      progress(`round ${round + 1} of ${rounds}: ${peer.name}`)
      visits.push(await visit(peer, inputs, reference, timing))
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

/** What the server answers in fp32, which every other answer is held to. */
async function readReference(inputs: Inputs): Promise<Reference> {
  const fp32 = PEERS.find(({ name }) => name === 'resnet-serve-fp32') as Peer
  return withServer(fp32.command, { ...process.env, ...fp32.env }, (server) => askAll(server, fp32, inputs))
}

async function askAll(server: ServerProcess, peer: Peer, inputs: Inputs): Promise<Reference> {
  const answers: Reference = { tensor: [], png: [] }
  for (const input of KINDS) {
    for (const bytes of inputs[input].slice(0, COMPARED)) answers[input].push(await ask(server, peer, input, bytes))
  }
  return answers
}

async function visit(peer: Peer, inputs: Inputs, reference: Reference, timing: Timing): Promise<Visit> {
  return withServer(peer.command, { ...process.env, ...peer.env }, async (server) => {
    const answers = await askAll(server, peer, inputs)
    const cosines = KINDS.flatMap((input) =>
      answers[input].map((answer, i) => assertAgreement(peer, input, answer, reference[input][i] as Vectors)),
    )
    const loads: Visit['loads'] = []
    for (const input of KINDS) {
      const { path, encode } = peer.requests[input]
      const payloads = inputs[input].map(encode)
      for (const clients of CLIENTS) {
        const load = await measureLoad({ url: server.url + path, payloads, clients, timing })
        if (errorCount(load) > 0) progress(`errors, ${peer.name}, ${input}: ${JSON.stringify(load.errors)}`)
        loads.push({ input, clients, load })
      }
    }
    const rssMiB = memoryTotalMiB(server.memory())
    return { peer, loads, rssMiB, startupMs: server.startupMs, minCosine: Math.min(...cosines) }
  })
}

/** One server's visits, a round each. */
function summary(visits: Visit[]): PeerResult {
  const { peer, loads } = visits[0] as Visit
  return {
    name: peer.name,
    title: peer.title,
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

import type { Precision } from '../../src/engines/engine.ts'
import { memoryTotalMiB } from '../memory.ts'
import { progress } from '../progress.ts'
import { errorCount } from '../results.ts'
import { type ServerProcess, withServer, withServers } from '../server-process.ts'
import { outcomes, type TurnsTiming, takeTurns, turnSeries } from '../turns.ts'
import { ask, assertAgreement } from './agreement.ts'
import { PEER_INPUTS, PEERS, type Peer, type PeerInput, type Vectors } from './peers.ts'

/** Inputs whose answers are compared before the load. */
const COMPARED = 16
const CLIENTS = [32, 1]

export type Inputs = Record<PeerInput, Buffer[]>
export type Reference = Record<PeerInput, Vectors[]>

export type PeerLoad = ReturnType<typeof turnSeries> & {
  input: PeerInput
  clients: number
  errors: number
  /** Seconds of warm-up. */
  settledS: number
}

export interface PeerResult {
  name: string
  title: string
  settings: Record<string, string>
  ours: boolean
  precision: Precision
  /** In the same order for all; their series have one value per round. */
  loads: PeerLoad[]
  /** Resident memory of all the server's processes after the loads. */
  rssMiB: number
  startupMs: number
  /** Smallest cosine of its embeddings and ours in fp32. */
  minCosine: number
}

/** Our server's fp32 answers, the reference for all others. */
export async function readReference(inputs: Inputs): Promise<Reference> {
  const fp32 = PEERS.find(({ name }) => name === 'resnet-serve-fp32') as Peer
  return withServer(fp32.command, { ...process.env, ...fp32.env }, (server) => askAll(server, fp32, inputs))
}

/** Starts all servers, compares their answers, and loads them in turns. Rejects if one answers otherwise than ours. */
export function measurePeers(
  peers: Peer[],
  inputs: Inputs,
  reference: Reference,
  timing: TurnsTiming,
): Promise<PeerResult[]> {
  progress(`starting ${peers.map(({ name }) => name).join(', ')}`)
  const commands = peers.map(({ command, env }) => ({ command, env: { ...process.env, ...env } }))
  return withServers(commands, async (servers) => {
    const entries = peers.map((peer, i) => ({ peer, server: servers[i] as ServerProcess, loads: [] as PeerLoad[] }))
    const cosines: number[] = []
    for (const { peer, server } of entries) cosines.push(await leastCosine(server, peer, inputs, reference))
    for (const input of PEER_INPUTS) {
      for (const clients of CLIENTS) {
        progress(`${input}, clients: ${clients}`)
        const contenders = entries.map(({ peer, server }) => {
          const { path, encode } = peer.requests[input]
          return { server, job: { url: server.url + path, payloads: inputs[input].map(encode), clients } }
        })
        for (const [i, { settledS, warmUp, turns }] of (await takeTurns(contenders, timing)).entries()) {
          const { errors } = outcomes([...warmUp, ...turns])
          const count = errorCount({ errors })
          if (count > 0) progress(`errors, ${peers[i]?.name}, ${input}: ${JSON.stringify(errors)}`)
          entries[i]?.loads.push({ input, clients, errors: count, settledS, ...turnSeries(turns) })
        }
      }
    }
    return Promise.all(
      entries.map(async ({ peer, server, loads }, i) => ({
        name: peer.name,
        title: peer.title,
        settings: peer.env,
        ours: peer.ours,
        precision: await peer.precision(server.url),
        loads,
        rssMiB: memoryTotalMiB(server.memory()),
        startupMs: server.startupMs,
        minCosine: cosines[i] ?? Number.NaN,
      })),
    )
  })
}

async function leastCosine(server: ServerProcess, peer: Peer, inputs: Inputs, reference: Reference): Promise<number> {
  const answers = await askAll(server, peer, inputs)
  const cosines = PEER_INPUTS.flatMap((input) =>
    answers[input].map((answer, i) => assertAgreement(peer, input, answer, reference[input][i] as Vectors)),
  )
  return Math.min(...cosines)
}

async function askAll(server: ServerProcess, peer: Peer, inputs: Inputs): Promise<Reference> {
  const answers: Reference = { tensor: [], picture: [] }
  for (const input of PEER_INPUTS) {
    for (const bytes of inputs[input].slice(0, COMPARED)) answers[input].push(await ask(server, peer, input, bytes))
  }
  return answers
}

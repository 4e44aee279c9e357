import type { Precision } from '../../src/engines/engine.ts'
import { type LoadResult, measureLoad } from '../load/load.ts'
import { memoryTotalMiB } from '../memory.ts'
import type { Timing } from '../options.ts'
import { progress } from '../progress.ts'
import { errorCount } from '../results.ts'
import { type ServerProcess, withServer } from '../server-process.ts'
import { ask, assertAgreement } from './agreement.ts'
import { PEER_INPUTS, PEERS, type Peer, type PeerInput, type Vectors } from './peers.ts'

/** Inputs whose answers are compared before the load. */
const COMPARED = 16

export type Inputs = Record<PeerInput, Buffer[]>
export type Reference = Record<PeerInput, Vectors[]>

/** One start of one server, with all its measurements. */
export interface Visit {
  peer: Peer
  loads: { input: PeerInput; clients: number; load: LoadResult }[]
  rssMiB: number
  startupMs: number
  minCosine: number
  precision: Precision
}

/** Our server's fp32 answers, the reference for all others. */
export async function readReference(inputs: Inputs): Promise<Reference> {
  const fp32 = PEERS.find(({ name }) => name === 'resnet-serve-fp32') as Peer
  return withServer(fp32.command, { ...process.env, ...fp32.env }, (server) => askAll(server, fp32, inputs))
}

/** Starts a server, compares its answers, loads it, and stops it. Rejects if its answers differ from ours. */
export function visit(
  peer: Peer,
  inputs: Inputs,
  reference: Reference,
  clients: number[],
  timing: Timing,
): Promise<Visit> {
  return withServer(peer.command, { ...process.env, ...peer.env }, async (server) => {
    const answers = await askAll(server, peer, inputs)
    const cosines = PEER_INPUTS.flatMap((input) =>
      answers[input].map((answer, i) => assertAgreement(peer, input, answer, reference[input][i] as Vectors)),
    )
    const loads: Visit['loads'] = []
    for (const input of PEER_INPUTS) {
      const { path, encode } = peer.requests[input]
      const payloads = inputs[input].map(encode)
      for (const count of clients) {
        const load = await measureLoad({ url: server.url + path, payloads, clients: count, timing })
        if (errorCount(load) > 0) progress(`errors, ${peer.name}, ${input}: ${JSON.stringify(load.errors)}`)
        loads.push({ input, clients: count, load })
      }
    }
    const rssMiB = memoryTotalMiB(server.memory())
    const precision = await peer.precision(server.url)
    return { peer, loads, rssMiB, startupMs: server.startupMs, minCosine: Math.min(...cosines), precision }
  })
}

async function askAll(server: ServerProcess, peer: Peer, inputs: Inputs): Promise<Reference> {
  const answers: Reference = { tensor: [], png: [] }
  for (const input of PEER_INPUTS) {
    for (const bytes of inputs[input].slice(0, COMPARED)) answers[input].push(await ask(server, peer, input, bytes))
  }
  return answers
}

import { execFileSync } from 'node:child_process'
import type { Precision } from '../../src/engines/engine.ts'
import type { Machine } from '../results.ts'
import type { Series } from '../statistics.ts'
import { figure, markdownTable } from '../table.ts'
import type { PeerInput } from './peers.ts'

export interface PeerLoad {
  input: PeerInput
  clients: number
  /** One value per round. */
  answersPerS: Series
  p50Ms: Series
  p99Ms: Series
  errors: number
}

export interface PeerResult {
  name: string
  title: string
  settings: Record<string, string>
  precision: Precision
  loads: PeerLoad[]
  /** Resident memory of all the server's processes after the load, MiB. */
  rssMiB: Series
  startupMs: Series
  /** Smallest cosine of its embeddings and ours in fp32. */
  minCosine: number
}

export interface PeerResults {
  date: string
  command: string
  machine: Machine
  python: string
  rounds: number
  peers: PeerResult[]
}

/** For docs/performance.md: medians of the rounds, and the range of the throughputs. */
export function peerReport({ date, command, machine, python, rounds, peers }: PeerResults): string {
  const clients = Math.max(...peers.flatMap(({ loads }) => loads.map((load) => load.clients)))
  const of = (peer: PeerResult, input: PeerInput, count: number): PeerLoad | undefined =>
    peer.loads.find((load) => load.input === input && load.clients === count)
  const throughput = (load: PeerLoad | undefined): string =>
    load === undefined
      ? '-'
      : `${figure(load.answersPerS.median)} (${figure(load.answersPerS.min)} - ${figure(load.answersPerS.max)})`
  const latency = (load: PeerLoad | undefined): string =>
    load === undefined ? '-' : `${figure(load.p50Ms.median)} / ${figure(load.p99Ms.median)}`
  const table = markdownTable([
    [
      'server',
      'precision',
      `tensors/s, ${clients} clients`,
      'p50 / p99 ms',
      `PNG/s, ${clients} clients`,
      'p50 / p99 ms',
      'tensor, 1 client, p50 / p99 ms',
      'PNG, 1 client, p50 / p99 ms',
      'RSS MiB',
      'ready s',
    ],
    ...peers.map((peer) => [
      peer.title,
      peer.precision,
      throughput(of(peer, 'tensor', clients)),
      latency(of(peer, 'tensor', clients)),
      throughput(of(peer, 'png', clients)),
      latency(of(peer, 'png', clients)),
      latency(of(peer, 'tensor', 1)),
      latency(of(peer, 'png', 1)),
      figure(peer.rssMiB.median),
      figure(peer.startupMs.median / 1000),
    ]),
  ])
  const facts = `\`${command}\`, ${date.slice(0, 10)}, ${machine.processor} with ${machine.cores} cores, Node ${machine.node}, Python ${python}; medians of ${rounds} rounds, in brackets the lowest and the highest.`
  return `${facts}\n\n${table}`
}

export function pythonVersion(python: string): string {
  return execFileSync(python, ['-c', 'import platform; print(platform.python_version())'], { encoding: 'utf8' }).trim()
}

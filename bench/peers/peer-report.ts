import { execFileSync } from 'node:child_process'
import { cpuTotal } from '../cpu.ts'
import type { Machine } from '../results.ts'
import { pairedRatio, series } from '../statistics.ts'
import { figure, markdownTable, ratioRange } from '../table.ts'
import type { PeerLoad, PeerResult } from './contest.ts'

export interface PeerResults {
  date: string
  command: string
  machine: Machine
  python: string
  rounds: number
  peers: PeerResult[]
}

/** For docs/performance.md: a table for each load, and one of what the servers take. */
export function peerReport({ date, command, machine, python, rounds, peers }: PeerResults): string {
  const facts = `\`${command}\`, ${date.slice(0, 10)}, ${machine.processor} with ${machine.cores} cores, Node ${machine.node}, Python ${python}; medians of ${rounds} rounds. "to best" is the median of the ratios to the best peer in the same round, in brackets their quartiles.`
  const tables = (peers[0]?.loads ?? []).map((_, i) => loadTable(peers, i))
  const memory = markdownTable([
    ['server', 'RSS MiB', 'ready s'],
    ...peers.map((peer) => [peer.title, figure(peer.rssMiB), figure(peer.startupMs / 1000)]),
  ])
  return [facts, ...tables, memory].join('\n\n')
}

function loadTable(peers: PeerResult[], i: number): string {
  const load = (peer: PeerResult): PeerLoad => peer.loads[i] as PeerLoad
  const rate = (peer: PeerResult): number[] => load(peer).answersPerS.values
  const { input, clients } = load(peers[0] as PeerResult)
  const fastest = bestPeer(peers, (peer) => -series(rate(peer)).median)
  const cheapest = bestPeer(peers, (peer) => series(cpuOf(load(peer))).median)
  const rows = peers.map((peer) => [
    peer.title,
    peer.precision,
    figure(series(rate(peer)).median),
    ratio(rate(peer), fastest && rate(fastest)),
    figure(series(cpuOf(load(peer))).median),
    ratio(cpuOf(load(peer)), cheapest && cpuOf(load(cheapest))),
    `${figure(load(peer).p50Ms.median)} / ${figure(load(peer).p99Ms.median)}`,
    load(peer).settledS.toFixed(0),
  ])
  const head = [
    'server',
    'precision',
    'answers/s',
    'to best',
    'CPU ms per answer',
    'to best',
    'p50 / p99 ms',
    'warm-up s',
  ]
  const best = `best peer: ${fastest?.title ?? 'none'}, in CPU time ${cheapest?.title ?? 'none'}`
  return `${input}, ${clients} ${clients === 1 ? 'client' : 'clients'}; ${best}\n\n${markdownTable([head, ...rows])}`
}

/**
 * The one with the least median of all rounds; none of ours. One for all rounds: a different one in each would be whichever
 * the noise favoured.
 */
export function bestPeer(peers: PeerResult[], cost: (peer: PeerResult) => number): PeerResult | undefined {
  return peers.filter(({ ours }) => !ours).sort((a, b) => cost(a) - cost(b))[0]
}

/** In each round. */
function cpuOf({ cpuMs: { http, engine } }: PeerLoad): number[] {
  return http.values.map((ms, round) => cpuTotal({ http: ms, engine: engine.values[round] ?? Number.NaN }))
}

function ratio(values: number[], best: number[] | undefined): string {
  if (best === undefined) return '-'
  const { median, lower, upper } = pairedRatio(values, best)
  return `${median.toFixed(3)} (${ratioRange(lower, upper)})`
}

export function pythonVersion(python: string): string {
  return execFileSync(python, ['-c', 'import platform; print(platform.python_version())'], { encoding: 'utf8' }).trim()
}

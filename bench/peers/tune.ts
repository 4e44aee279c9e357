import { cpuTotal } from '../cpu.ts'
import { figure, markdownTable } from '../table.ts'
import type { TurnsTiming } from '../turns.ts'
import { type Inputs, measurePeers, type PeerLoad, type Reference } from './contest.ts'
import type { Peer, PeerInput } from './peers.ts'

/** Each server with each of its `choices` in turns, to find the settings for `peers.ts`. */
export async function tune(peers: Peer[], inputs: Inputs, reference: Reference, timing: TurnsTiming): Promise<string> {
  const rows: string[][] = []
  for (const peer of peers) {
    const tried = peer.choices.map((choice) => ({ ...peer, env: { ...peer.env, ...choice } }))
    for (const [i, { loads }] of (await measurePeers(tried, inputs, reference, timing)).entries()) {
      const of = (input: PeerInput, clients: number): PeerLoad =>
        loads.find((load) => load.input === input && load.clients === clients) as PeerLoad
      const { http, engine } = of('tensor', 32).cpuMs
      rows.push([
        peer.name,
        Object.entries(peer.choices[i] ?? {})
          .map(([name, value]) => `${name}=${value}`)
          .join(' '),
        figure(of('tensor', 32).answersPerS.median),
        figure(of('picture', 32).answersPerS.median),
        figure(cpuTotal({ http: http.median, engine: engine.median })),
        figure(of('tensor', 32).p99Ms.median),
        figure(of('tensor', 1).p50Ms.median),
      ])
    }
  }
  const head = ['server', 'settings', 'tensors/s', 'pictures/s', 'CPU ms', 'p99 ms', '1 client, p50 ms']
  return markdownTable([head, ...rows])
}

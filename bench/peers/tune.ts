import type { Timing } from '../options.ts'
import { progress } from '../progress.ts'
import { figure, markdownTable } from '../table.ts'
import type { Peer, PeerInput } from './peers.ts'
import { type Inputs, type Reference, type Visit, visit } from './visit.ts'

/** Runs each server with each of its `choices`, to find the settings for `peers.ts`. */
export async function tune(peers: Peer[], inputs: Inputs, reference: Reference, timing: Timing): Promise<string> {
  const rows: string[][] = []
  for (const peer of peers) {
    for (const choice of peer.choices) {
      const settings = Object.entries(choice).map(([name, value]) => `${name}=${value}`)
      progress(`${peer.name}, ${settings.join(' ')}`)
      const tried = { ...peer, env: { ...peer.env, ...choice } }
      const seen = await visit(tried, inputs, reference, [32, 1], timing)
      const of = (input: PeerInput, clients: number) => window(seen, input, clients)
      rows.push([
        peer.name,
        settings.join(' '),
        figure(of('tensor', 32).answersPerS),
        figure(of('png', 32).answersPerS),
        figure(of('tensor', 32).p99Ms),
        figure(of('tensor', 1).p50Ms),
      ])
    }
  }
  return markdownTable([['server', 'settings', 'tensors/s', 'PNG/s', 'p99 ms', '1 client, p50 ms'], ...rows])
}

function window({ loads }: Visit, input: PeerInput, clients: number) {
  const found = loads.find((load) => load.input === input && load.clients === clients)?.load.windows[0]
  return found ?? { answersPerS: Number.NaN, p50Ms: Number.NaN, p99Ms: Number.NaN }
}

import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { LEAD, turnsTiming } from '../options.ts'
import type { TurnsTiming } from '../turns.ts'
import { PEERS, type Peer } from './peers.ts'

export interface PeerOptions {
  /** Model repository. */
  repository: string
  peers: Peer[]
  timing: TurnsTiming
  tune: boolean
  jsonFile: string
}

export const USAGE = `npm run bench:peers -- [options]
  --quick             one round of short windows
  --rounds <count>    turns of each server with each load (default 9)
  --lead <seconds>    of load before each turn; longer than an answer takes (default ${LEAD})
  --window <seconds>  length of a turn (default 1)
  --settle <seconds>  the longest warm-up of a load (default 60)
  --model <repository>  whose only model is served: the default network, or a ResNet of torchvision (default models)
  --only <list>       servers: ${PEERS.map(({ name }) => name).join(', ')}
  --tune              instead, each server with each of the settings that it could be run with
  --json <file>       results as JSON (default bench/results/peers.json)`

/** Throws an Error that names the option. Returns undefined if only the usage was asked for. */
export function parsePeerOptions(argv: string[]): PeerOptions | undefined {
  const { values } = parseArgs({
    args: argv,
    options: {
      quick: { type: 'boolean', default: false },
      rounds: { type: 'string', default: '9' },
      lead: { type: 'string', default: LEAD },
      window: { type: 'string', default: '1' },
      settle: { type: 'string', default: '60' },
      model: { type: 'string', default: 'models' },
      only: { type: 'string', default: PEERS.map(({ name }) => name).join(',') },
      tune: { type: 'boolean', default: false },
      json: { type: 'string', default: 'bench/results/peers.json' },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return undefined
  const names = values.only.split(',')
  const unknown = names.find((name) => !PEERS.some((peer) => peer.name === name))
  if (unknown !== undefined) throw new Error(`--only ${unknown}: no such server`)
  return {
    repository: resolve(values.model),
    peers: PEERS.filter(({ name }) => names.includes(name)),
    timing: values.quick ? { rounds: 1, leadS: Number(LEAD), windowS: 1, settleS: 0.5 } : turnsTiming(values),
    tune: values.tune,
    jsonFile: resolve(values.json),
  }
}

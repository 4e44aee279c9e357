import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import type { Timing } from '../options.ts'
import { PEERS, type Peer } from './peers.ts'

export interface PeerOptions {
  peers: Peer[]
  rounds: number
  timing: Timing
  tune: boolean
  jsonFile: string
}

export const USAGE = `npm run bench:peers -- [options]
  --quick             one round of short windows
  --rounds <count>    times each server is started and measured, in an order that rotates (default 3)
  --window <seconds>  length of one measurement (default 2)
  --warmup <seconds>  load before it (default 1)
  --only <list>       servers: ${PEERS.map(({ name }) => name).join(', ')}
  --tune              instead, each server once with each of the settings that it could be run with
  --json <file>       results as JSON (default bench/results/peers.json)`

/** Throws an Error that names the option. Returns undefined if only the usage was asked for. */
export function parsePeerOptions(argv: string[]): PeerOptions | undefined {
  const { values } = parseArgs({
    args: argv,
    options: {
      quick: { type: 'boolean', default: false },
      rounds: { type: 'string', default: '3' },
      window: { type: 'string', default: '2' },
      warmup: { type: 'string', default: '1' },
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
  const number = (option: 'rounds' | 'window' | 'warmup'): number => {
    const value = Number(values[option])
    if (!(value > 0)) throw new Error(`--${option} ${values[option]}: must be more than 0`)
    return value
  }
  return {
    peers: PEERS.filter(({ name }) => names.includes(name)),
    rounds: values.quick ? 1 : Math.ceil(number('rounds')),
    timing: values.quick
      ? { warmupS: 0.5, windowS: 1, windows: 1 }
      : { warmupS: number('warmup'), windowS: number('window'), windows: 1 },
    tune: values.tune,
    jsonFile: resolve(values.json),
  }
}

import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { ENGINE_NAMES, type EngineName, PRECISIONS, type Precision } from '../src/engines/engine.ts'
import type { TurnsTiming } from './turns.ts'

export interface Timing {
  /** Seconds before the first window of the raw engine and of sharp. */
  warmupS: number
  /** The longest warm-up of an HTTP load, which ends sooner when the CPU time per answer no longer falls. */
  settleS: number
  /** See `TurnsTiming`. */
  leadS: number
  windowS: number
  windows: number
}

/** Seconds: enough for answers that take less. */
export const LEAD = '0.3'

/** Parts of a run, each of which can be left out. */
export const PARTS = ['raw', 'closed', 'open', 'null'] as const
export type Part = (typeof PARTS)[number]

export interface Options {
  engine: EngineName | 'auto'
  repository: string
  timing: Timing
  parts: Part[]
  /** Of the raw engine. */
  batchSizes: number[]
  precisions: Precision[]
  /** Connections with one request in flight each. */
  clients: number[]
  /** Open loop: shares of the closed loop's rate with the most clients. */
  loads: number[]
  jsonFile: string | undefined
}

export const USAGE = `npm run bench -- [options]
  --quick               one short window of each thing: does it all run, roughly how fast
  --lead <seconds>      of HTTP load before each measurement; longer than an answer takes (default ${LEAD})
  --window <seconds>    length of one measurement (default 2)
  --windows <count>     measurements of each thing, of which the median is taken (default 3)
  --warmup <seconds>    before the first of them, of the raw engine and of sharp (default 1)
  --settle <seconds>    the longest warm-up of an HTTP load, until its CPU time per answer no longer falls (default 60)
  --only <list>         parts to run: ${PARTS.join(', ')} (default all; open needs closed)
  --engine <name>       auto, ${ENGINE_NAMES.join(', ')} (default auto)
  --model <repository>  model repository; its default model is measured (default models)
  --batches <list>      batch sizes of the raw engine (default 1,8,32)
  --precisions <list>   precisions of the raw engine: ${PRECISIONS.join(', ')} (default fp32,int8)
  --clients <list>      numbers of HTTP clients (default 1,32)
  --loads <list>        arrival rates of the open loop, as shares of the closed one's best (default 0.5,0.8)
  --json <file>         also write the results there
Every other option of the server is taken from the environment, as the server itself does.

npm run bench -- compare <a.json> <b.json>
  what changed from one run to the other, and whether more than their spread`

const QUICK: Timing = { warmupS: 0.5, settleS: 0.5, leadS: Number(LEAD), windowS: 1, windows: 1 }

/** Throws an Error that names the option. Returns undefined if only the usage was asked for. */
export function parseOptions(argv: string[]): Options | undefined {
  const { values } = parseArgs({
    args: argv,
    options: {
      quick: { type: 'boolean', default: false },
      lead: { type: 'string', default: LEAD },
      window: { type: 'string', default: '2' },
      windows: { type: 'string', default: '3' },
      warmup: { type: 'string', default: '1' },
      settle: { type: 'string', default: '60' },
      only: { type: 'string', default: PARTS.join(',') },
      engine: { type: 'string', default: 'auto' },
      model: { type: 'string', default: 'models' },
      batches: { type: 'string', default: '1,8,32' },
      precisions: { type: 'string', default: 'fp32,int8' },
      clients: { type: 'string', default: '1,32' },
      loads: { type: 'string', default: '0.5,0.8' },
      json: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return undefined
  const timing = {
    warmupS: positive('warmup', values.warmup),
    settleS: positive('settle', values.settle),
    leadS: positive('lead', values.lead),
    windowS: positive('window', values.window),
    windows: count('windows', values.windows),
  }
  const parts = values.only.split(',').map((part) => oneOf('only', PARTS, part))
  if (parts.includes('open') && !parts.includes('closed')) throw new Error('--only open: needs closed as well')
  return {
    engine: oneOf('engine', ['auto', ...ENGINE_NAMES] as const, values.engine),
    repository: resolve(values.model),
    timing: values.quick ? QUICK : timing,
    parts,
    batchSizes: values.batches.split(',').map((size) => count('batches', size)),
    precisions: values.precisions.split(',').map((precision) => oneOf('precisions', PRECISIONS, precision)),
    clients: values.clients.split(',').map((clients) => count('clients', clients)),
    loads: values.loads.split(',').map((load) => positive('loads', load)),
    jsonFile: values.json,
  }
}

/** The options of a contest in turns, as both of its commands have them. Throws an Error that names the option. */
export function turnsTiming({
  rounds,
  lead = LEAD,
  window,
  settle,
}: Record<'rounds' | 'window' | 'settle', string> & { lead?: string }): TurnsTiming {
  return {
    rounds: count('rounds', rounds),
    leadS: positive('lead', lead),
    windowS: positive('window', window),
    settleS: positive('settle', settle),
  }
}

export function oneOf<Name extends string>(option: string, names: readonly Name[], value: string): Name {
  const name = names.find((known) => known === value)
  if (name === undefined) throw new Error(`--${option} ${value}: must be one of ${names.join(', ')}`)
  return name
}

export function positive(option: string, value: string): number {
  const number = Number(value)
  if (!(number > 0 && number <= 3600)) throw new Error(`--${option} ${value}: must be a number, more than 0`)
  return number
}

export function count(option: string, value: string): number {
  const number = Number(value)
  if (!(Number.isInteger(number) && number >= 1)) throw new Error(`--${option} ${value}: must be 1 or more`)
  return number
}

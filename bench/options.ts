import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { ENGINE_NAMES, type EngineName } from '../src/model/engines/engine.ts'

export interface Timing {
  /** Seconds of load before the first window; what is answered in them is not counted. */
  warmupS: number
  windowS: number
  windows: number
}

export interface Options {
  engine: EngineName | 'auto'
  repository: string
  timing: Timing
  /** Of the raw engine. */
  batchSizes: number[]
  /** Connections with one request in flight each. */
  clients: number[]
  jsonFile: string | undefined
}

export const USAGE = `npm run bench -- [options]
  --window <seconds>    length of one measurement (default 4)
  --windows <count>     measurements of each thing, of which the median is taken (default 3)
  --warmup <seconds>    load before the first of them (default 2)
  --engine <name>       auto, ${ENGINE_NAMES.join(', ')} (default auto)
  --model <repository>  model repository; its default model is measured (default models)
  --batches <list>      batch sizes of the raw engine (default 1,8,32)
  --clients <list>      numbers of HTTP clients (default 1,32)
  --json <file>         also write the results there
Every other option of the server is taken from the environment, as the server itself does.`

/** Throws an Error that names the option. Undefined when only the usage was asked for. */
export function parseOptions(argv: string[]): Options | undefined {
  const { values } = parseArgs({
    args: argv,
    options: {
      window: { type: 'string', default: '4' },
      windows: { type: 'string', default: '3' },
      warmup: { type: 'string', default: '2' },
      engine: { type: 'string', default: 'auto' },
      model: { type: 'string', default: 'models' },
      batches: { type: 'string', default: '1,8,32' },
      clients: { type: 'string', default: '1,32' },
      json: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return undefined
  return {
    engine: engineName(values.engine),
    repository: resolve(values.model),
    timing: {
      warmupS: seconds('warmup', values.warmup),
      windowS: seconds('window', values.window),
      windows: count('windows', values.windows),
    },
    batchSizes: values.batches.split(',').map((size) => count('batches', size)),
    clients: values.clients.split(',').map((clients) => count('clients', clients)),
    jsonFile: values.json,
  }
}

function engineName(value: string): EngineName | 'auto' {
  const name = (['auto', ...ENGINE_NAMES] as const).find((known) => known === value)
  if (name === undefined) throw new Error(`--engine ${value}: must be auto or one of ${ENGINE_NAMES.join(', ')}`)
  return name
}

function seconds(option: string, value: string): number {
  const number = Number(value)
  if (!(number > 0 && number <= 3600)) throw new Error(`--${option} ${value}: must be seconds, more than 0`)
  return number
}

function count(option: string, value: string): number {
  const number = Number(value)
  if (!(Number.isInteger(number) && number >= 1)) throw new Error(`--${option} ${value}: must be 1 or more`)
  return number
}

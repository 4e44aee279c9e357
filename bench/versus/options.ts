import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { INPUT_KINDS, type InputKindName } from '../inputs.ts'
import { count, oneOf, turnsTiming } from '../options.ts'
import type { TurnsTiming } from '../turns.ts'
import { parseSide, type Side } from './sides.ts'

export interface VersusOptions {
  sides: Side[]
  repository: string
  inputs: InputKindName[]
  clients: number
  timing: TurnsTiming
  jsonFile: string | undefined
}

const INPUTS = Object.keys(INPUT_KINDS) as InputKindName[]

export const VERSUS_USAGE = `npm run bench -- versus <base> <other>... [options]
  each is a folder with a checkout, settings, or both: ../main, PRECISION=fp32, '../main PRECISION=fp32', . for this one;
  all serve the same weights, at the same time, and are loaded in turns
  --rounds <count>      turns of each (default 30)
  --window <seconds>    length of a turn (default 1)
  --settle <seconds>    the longest warm-up (default 60)
  --inputs <list>       ${INPUTS.join(', ')} (default tensor,png)
  --clients <count>     HTTP clients (default 32)
  --model <repository>  model repository of all (default models)
  --json <file>         also write every turn there`

/** Throws an Error that names the option. Returns undefined if only the usage was asked for. */
export function parseVersus(argv: string[]): VersusOptions | undefined {
  const { values, positionals } = parseArgs({
    args: argv,
    allowPositionals: true,
    options: {
      rounds: { type: 'string', default: '30' },
      window: { type: 'string', default: '1' },
      settle: { type: 'string', default: '60' },
      inputs: { type: 'string', default: 'tensor,png' },
      clients: { type: 'string', default: '32' },
      model: { type: 'string', default: 'models' },
      json: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return undefined
  if (positionals.length < 2) throw new Error('versus: name at least two, such as . and PRECISION=fp32')
  return {
    sides: positionals.map(parseSide),
    repository: resolve(values.model),
    inputs: values.inputs.split(',').map((input) => oneOf('inputs', INPUTS, input)),
    clients: count('clients', values.clients),
    timing: turnsTiming(values),
    jsonFile: values.json,
  }
}

import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { count, oneOf, positive } from '../options.ts'
import type { Results } from '../results.ts'
import { parseService, type ServiceTimes, serviceTimesOf } from './service-times.ts'
import { BALANCERS, type Scenario } from './simulate.ts'

export const USAGE = `npm run bench:simulate -- [options]
  latency and goodput of replicas behind a balancer: the product's own batcher in virtual time
  --service <line>         what a batch takes an engine: fixed=<ms>,per-input=<ms>[,spread=<share>]
                           (default fixed=20,per-input=5)
  --service-from <file>    the same from a file that npm run bench -- --json wrote
  --replicas <list>        numbers of replicas (default 1,2,3)
  --load <list>            arrival rates, as shares of what so many replicas can answer (default 0.3,0.6,0.9)
  --processes <count>      engine processes that share a replica's CPU (default 2; a GPU has 1)
  --batch <count>          MAX_BATCH_SIZE (default 32)
  --queue <count>          MAX_QUEUE_SIZE (default 1024)
  --timeout <ms>           after which an answer is of no use (default 30000)
  --overhead <ms>          added to each latency: network, HTTP, balancer (default 0)
  --balancer <name>        ${BALANCERS.join(', ')} (default least-connections)
  --requests <count>       in each scenario (default 20000)
  --seed <count>           of all that is random (default 1)
  --svg <file>             also draw latency and goodput there
  --json                   print JSON instead of a table

npm run bench:simulate -- --check [--window <seconds>] [--built] [--service, --load, ... as above]
  three replicas behind HAProxy, whose engines sleep for --service, under Poisson arrivals: what is measured beside what the
  simulation says. The exit status is 1 when p50 or p99 is more than 25 % off. A window is 60 s unless given
  --built                  three real replicas on the cores of this machine instead; nothing is required of them`

export interface Options extends Omit<Scenario, 'serviceTime' | 'replicas' | 'ratePerS'> {
  service: ServiceTimes
  replicas: number[]
  loads: number[]
  svgFile: string | undefined
  json: boolean
  check: boolean
  built: boolean
  windowS: number
}

/** Throws an Error that names the option. Returns undefined if only the usage was asked for. */
export function parseOptions(argv: string[]): Options | undefined {
  const { values } = parseArgs({
    args: argv,
    options: {
      service: { type: 'string', default: 'fixed=20,per-input=5' },
      'service-from': { type: 'string' },
      replicas: { type: 'string', default: '1,2,3' },
      load: { type: 'string', default: '0.3,0.6,0.9' },
      processes: { type: 'string', default: '2' },
      batch: { type: 'string', default: '32' },
      queue: { type: 'string', default: '1024' },
      timeout: { type: 'string', default: '30000' },
      overhead: { type: 'string', default: '0' },
      balancer: { type: 'string', default: 'least-connections' },
      requests: { type: 'string', default: '20000' },
      seed: { type: 'string', default: '1' },
      svg: { type: 'string' },
      json: { type: 'boolean', default: false },
      check: { type: 'boolean', default: false },
      built: { type: 'boolean', default: false },
      window: { type: 'string', default: '60' },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return undefined
  const overheadMs = Number(values.overhead)
  if (!(overheadMs >= 0)) throw new Error(`--overhead ${values.overhead}: must be a number of ms`)
  return {
    service: values['service-from'] ? readService(values['service-from']) : parseService(values.service),
    replicas: values.replicas.split(',').map((replicas) => count('replicas', replicas)),
    loads: values.load.split(',').map((load) => positive('load', load)),
    processes: count('processes', values.processes),
    takesAllThreads: true,
    maxBatchSize: count('batch', values.batch),
    maxQueueSize: count('queue', values.queue),
    timeoutMs: count('timeout', values.timeout),
    overheadMs,
    balancer: oneOf('balancer', BALANCERS, values.balancer),
    requests: count('requests', values.requests),
    seed: count('seed', values.seed),
    svgFile: values.svg,
    json: values.json,
    check: values.check,
    built: values.built,
    windowS: positive('window', values.window),
  }
}

function readService(file: string): ServiceTimes {
  return serviceTimesOf(JSON.parse(readFileSync(file, 'utf8')) as Results)
}

import { fileURLToPath } from 'node:url'
import { Balancer } from '../../test/reliability/balancers/balancer.ts'
import { makePayloads, randomTensor, seededRandom } from '../inputs.ts'
import { Load, type LoadJob } from '../load/load.ts'
import { progress } from '../progress.ts'
import { errorCount } from '../results.ts'
import { readInfo, type ServedModel } from '../server-api.ts'
import { DEPLOYED, freePort, type ServerCommand, type ServerProcess, withServers } from '../server-process.ts'
import { figure, textTable } from '../table.ts'
import type { Options } from './options.ts'
import { capacityPerS, meanMs, type ServiceTimes, serviceTimeOf } from './service-times.ts'
import { simulate } from './simulate.ts'

/** As many as the shipped configuration of HAProxy names. */
const REPLICAS = 3
/** How far p50 and p99 may be from the simulation. */
const TOLERANCE = 0.25
/** Connections of the generator: more than are ever in flight. */
const CLIENTS = 512
const PATH = '/embed?include=logits'

const DOUBLE: ServerCommand = {
  argv: [
    process.execPath,
    '--import',
    'tsx',
    fileURLToPath(new URL('../../test/reliability/soak/double-server.ts', import.meta.url)),
  ],
  readyPath: '/readyz',
}

/** Three replicas behind HAProxy as it is shipped: what is measured, beside what the simulation says. */
export async function check(options: Options): Promise<void> {
  const { service, processes, maxBatchSize, maxQueueSize, timeoutMs, built } = options
  const perInput = meanMs(service, 2) - meanMs(service, 1)
  const env = {
    ...process.env,
    API_KEYS: '',
    ENGINE_PROCESSES: String(processes),
    MAX_BATCH_SIZE: String(maxBatchSize),
    MAX_QUEUE_SIZE: String(maxQueueSize),
    REQUEST_TIMEOUT_MS: String(timeoutMs),
    DOUBLE_FIXED_MS: String(meanMs(service, 1) - perInput),
    DOUBLE_PER_INPUT_MS: String(perInput),
    DOUBLE_TAKES_ALL_THREADS: 'true',
  }
  const command = built ? DEPLOYED : DOUBLE
  const replicas = Array.from({ length: REPLICAS }, () => ({ command, env }))
  await withServers(replicas, async (servers) => {
    const ports = servers.map(({ url }) => ({ port: Number(new URL(url).port) }))
    const balancer = await Balancer.start('haproxy', await freePort(), ports)
    try {
      await compare(options, servers, balancer)
    } finally {
      await balancer.stop()
    }
  })
}

async function compare(options: Options, [server]: ServerProcess[], { url }: Balancer): Promise<void> {
  if (server === undefined) return
  const { loads, windowS, maxBatchSize, built } = options
  const { model } = await readInfo(server.url)
  const payloads = await makePayloads('tensor', model.input, CLIENTS)
  const measure = async (job: Partial<LoadJob>, seconds: number) => {
    const load = await Load.open({ url: url + PATH, payloads, clients: CLIENTS, ...job })
    const result = await load.run({ leadS: 5, windowS: seconds })
    await load.close()
    if (errorCount(result) > 0) throw new Error(`not answered: ${JSON.stringify(result.errors)}`)
    return result.window
  }
  progress('warm-up, and what an idle replica takes')
  await measure({ clients: 32 }, 10)
  const service = await measureService(server.url, model, [1, Math.ceil(maxBatchSize / 4), maxBatchSize])
  const alone = await measure({ clients: 1 }, 5)
  const overheadMs = Math.max(0, alone.p50Ms - meanMs(service, 1))
  const points = service.points.map(({ batchSize, ms }) => `${batchSize}: ${figure(ms)} ms`).join(', ')
  console.log(
    `batches alone: ${points}; spread ${(100 * service.spread).toFixed(1)} %; overhead ${figure(overheadMs)} ms`,
  )

  // Real replicas share this machine's cores: together they are compared with one that has them all.
  const replicas = built ? 1 : REPLICAS
  const rows = [['load', 'requests/s', 'p50 ms', 'simulated', 'off %', 'p99 ms', 'simulated', 'off %']]
  for (const load of loads) {
    const ratePerS = load * replicas * capacityPerS(service, maxBatchSize)
    const requests = Math.max(options.requests, Math.ceil(ratePerS * 120))
    const said = await simulate({
      ...options,
      replicas,
      serviceTime: serviceTimeOf(service),
      ratePerS,
      overheadMs,
      requests,
    })
    progress(`${(100 * load).toFixed(0)} % load: ${figure(ratePerS)} requests/s for ${windowS} s`)
    const seen = await measure({ ratePerS, poissonSeed: options.seed }, windowS)
    const off = [seen.p50Ms / said.p50Ms - 1, seen.p99Ms / said.p99Ms - 1]
    const [p50Off, p99Off] = off.map((share) => (100 * share).toFixed(0)) as [string, string]
    const figures = [ratePerS, seen.p50Ms, said.p50Ms, seen.p99Ms, said.p99Ms].map(figure) as [string, ...string[]]
    rows.push([load.toFixed(2), ...figures.slice(0, 3), p50Off, ...figures.slice(3), p99Off])
    if (!built && !off.every((share) => Math.abs(share) <= TOLERANCE)) process.exitCode = 1
  }
  console.log(textTable(rows))
}

/** What batches of these sizes take a replica that has nothing else to do, as its own clock says. */
async function measureService(url: string, { input }: ServedModel, sizes: number[]): Promise<ServiceTimes> {
  const random = seededRandom(1)
  const deviations: number[] = []
  const points: ServiceTimes['points'] = []
  for (const batchSize of sizes) {
    const measured: number[] = []
    for (let i = 0; i < 30; i++) {
      const answer = await fetch(url + PATH, {
        method: 'POST',
        headers: { 'content-type': 'application/octet-stream' },
        body: randomTensor(input, batchSize, random),
      })
      await answer.arrayBuffer()
      measured.push(Number(/compute;dur=([\d.]+)/.exec(answer.headers.get('server-timing') ?? '')?.[1]))
    }
    const ms = measured.reduce((sum, each) => sum + each, 0) / measured.length
    deviations.push(...measured.map((each) => each / ms - 1))
    points.push({ batchSize, ms })
  }
  return { points, spread: Math.sqrt(deviations.reduce((sum, each) => sum + each ** 2, 0) / deviations.length) }
}

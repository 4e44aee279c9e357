import { setTimeout as sleep } from 'node:timers/promises'
import { Load, type Outcome, percentileMs } from '../load.ts'
import { TENSORS, tensors } from './inputs.ts'
import { SoakServer } from './server.ts'
import type { Figure } from './verdict.ts'

const DEADLINE_MS = 1000
const FACTORS = [
  [2, 95],
  [5, 90],
  [10, 90],
] as const

const loadOf = (server: SoakServer): Load =>
  new Load({
    url: `${server.url}/embed?include=logits`,
    contentType: TENSORS,
    body: () => tensors(),
    headers: { 'x-request-timeout-ms': String(DEADLINE_MS) },
  })

/** Answers a second inside the deadline, of those that came in the middle of the run. */
function goodput(outcomes: Outcome[], fromMs: number, toMs: number): number {
  const good = outcomes.filter(({ status, ms, startedAt }) => {
    const at = startedAt + ms
    return status === 200 && ms <= DEADLINE_MS && at >= fromMs && at < toMs
  })
  return (good.length * 1000) / (toMs - fromMs)
}

async function saturation(server: SoakServer, seconds: number): Promise<number> {
  const load = loadOf(server)
  load.clients(96)
  await sleep(2000)
  const from = performance.now()
  await sleep(seconds * 1000)
  const rate = goodput(load.outcomes, from, performance.now())
  await load.stop()
  return rate
}

/** Asks for health all the while; resolves with the slowest answer, in ms, or infinity when one failed. */
export async function slowestHealth(server: SoakServer, while_: Promise<void>): Promise<number> {
  let running = true
  void while_.then(() => {
    running = false
  })
  let slowest = 0
  while (running) {
    for (const path of ['/livez', '/readyz']) {
      const start = performance.now()
      const status = await server.status(path)
      slowest = Math.max(slowest, status === 200 ? performance.now() - start : Number.POSITIVE_INFINITY)
    }
    await sleep(50)
  }
  return slowest
}

/** Open loop at 2, 5 and 10 times what the server can do. */
export async function overload(seconds: number): Promise<Figure[]> {
  const server = await SoakServer.start('double')
  const full = await saturation(server, Math.min(seconds, 10))
  const figures: Figure[] = [{ what: 'saturation', value: full, unit: '/s' }]
  const before = await refusalsCounted(server)
  let sent = 0
  let withoutRetryAfter = 0
  for (const [factor, percent] of FACTORS) {
    const load = loadOf(server)
    const start = performance.now()
    const driving = load.rate(factor * full, seconds * 1000)
    const slowest = await slowestHealth(server, driving)
    const end = performance.now()
    await load.stop()
    const refused = load.outcomes.filter(({ status }) => status === 503)
    sent += refused.length
    withoutRetryAfter += refused.filter(({ retryAfter }) => !/^\d+$/.test(retryAfter ?? '')).length
    const share = (100 * goodput(load.outcomes, start + 2000, end)) / full
    const name = `${factor}x`
    figures.push(
      { what: `${name}: goodput inside the deadline`, value: share, unit: '%', atLeast: percent },
      { what: `${name}: p99 of a refusal`, value: percentileMs(refused, 0.99), unit: 'ms', atMost: 50 },
      { what: `${name}: slowest /livez or /readyz`, value: slowest, unit: 'ms', atMost: 100 },
      { what: `${name}: late (504)`, value: count(load.outcomes, 504), unit: 'requests' },
      { what: `${name}: failed connections`, value: count(load.outcomes, 0), unit: 'requests', atMost: 0 },
    )
  }
  const counted = (await refusalsCounted(server)) - before
  figures.push(
    { what: 'refusals without Retry-After', value: withoutRetryAfter, unit: 'requests', atMost: 0 },
    { what: 'refusals counted less those received', value: Math.abs(counted - sent), unit: 'requests', atMost: 0 },
  )
  await server.stop()
  return figures
}

/** Half the load, then a spike of ten times, then half again. */
export async function spike(seconds: number): Promise<Figure[]> {
  const server = await SoakServer.start('double')
  const full = await saturation(server, 5)
  const half = async (): Promise<Outcome[]> => {
    const load = loadOf(server)
    await load.rate(full / 2, 5000)
    await load.stop()
    return load.outcomes
  }
  const before = percentileMs(await half(), 0.99)
  const load = loadOf(server)
  await load.rate(10 * full, seconds * 1000)
  const ended = performance.now()
  const recovering = half()
  await load.stop()
  await recovering
  await sleep(Math.max(0, ended + 5000 - performance.now()))
  const after = await half()
  await server.stop()
  const p99 = percentileMs(after, 0.99)
  return [
    { what: 'p99 at half load', value: before, unit: 'ms' },
    { what: 'p99 at half load, from 5 s after the spike', value: p99, unit: 'ms', atMost: Math.round(1.25 * before) },
    {
      what: 'refused or failed from 5 s after the spike',
      value: after.length - count(after, 200),
      unit: 'requests',
      atMost: 0,
    },
  ]
}

function count(outcomes: Outcome[], wanted: number): number {
  return outcomes.filter(({ status }) => status === wanted).length
}

async function refusalsCounted(server: SoakServer): Promise<number> {
  let sum = 0
  for (const [name, value] of await server.metrics()) if (name.startsWith('resnet_refusals_total')) sum += value
  return sum
}

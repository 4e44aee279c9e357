import { setTimeout as sleep } from 'node:timers/promises'
import { Load, percentileMs } from '../load.ts'
import { TENSORS, tensors } from './inputs.ts'
import { SoakServer } from './server.ts'
import type { Figure } from './verdict.ts'

const CLIENTS = 32

const loadOf = (server: SoakServer, headers: Record<string, string> = {}): Load =>
  new Load({ url: `${server.url}/embed?include=logits`, contentType: TENSORS, body: () => tensors(), headers })

/** kill -9 of all engine processes under load, with the default model. */
export async function engineKill(seconds: number): Promise<Figure[]> {
  const server = await SoakServer.start('built')
  const load = loadOf(server)
  load.clients(CLIENTS)
  await sleep(seconds * 1000)
  server.killEngine()
  const killed = performance.now()
  await sleep(seconds * 1000 + 5000)
  await load.stop()
  // What was with the engine when it was killed may have been answered already.
  const fresh = load.outcomes.filter(({ status, startedAt }) => status === 200 && startedAt > killed)
  const back = Math.min(...fresh.map(({ startedAt, ms }) => startedAt + ms)) - killed
  const failed = load.outcomes.filter(({ status }) => status !== 200).length
  await server.stop()
  return [
    { what: 'requests', value: load.outcomes.length, unit: '' },
    { what: 'failed requests', value: failed, unit: 'requests', atMost: 0 },
    // Three seconds and the load of the model, which takes about one.
    { what: 'answers again after', value: back, unit: 'ms', atMost: 4000 },
  ]
}

/** How late the event loop is when the server is saturated, with the default model. */
export async function eventLoop(seconds: number): Promise<Figure[]> {
  const server = await SoakServer.start('built')
  const load = loadOf(server)
  load.clients(CLIENTS)
  await sleep(2000)
  const before = await delays(server)
  await sleep(seconds * 1000)
  const after = await delays(server)
  await load.stop()
  await server.stop()
  const counts = after.map(([le, count], i) => [le, count - (before[i]?.[1] ?? 0)] as const)
  const total = counts.at(-1)?.[1] ?? 0
  const ms = (share: number): number => 1000 * (counts.find(([, count]) => count >= share * total)?.[0] ?? Number.NaN)
  return [
    { what: 'p50 of a request', value: percentileMs(load.outcomes, 0.5), unit: 'ms' },
    { what: 'event-loop delay, p50', value: ms(0.5), unit: 'ms' },
    { what: 'event-loop delay, p99', value: ms(0.99), unit: 'ms', atMost: 20 },
  ]
}

/** How often the event loop was at most so late (s), for each bucket of the histogram. */
async function delays(server: SoakServer): Promise<(readonly [le: number, count: number])[]> {
  const bucket = /^resnet_event_loop_delay_seconds_bucket\{le="(.+)"\}$/
  return [...(await server.metrics())].flatMap(([name, count]) => {
    const le = bucket.exec(name)?.[1]
    return le === undefined ? [] : [[le === '+Inf' ? Number.POSITIVE_INFINITY : Number(le), count] as const]
  })
}

/** Deadlines of 20 ms behind batches of 200 ms. */
export async function deadline(seconds: number): Promise<Figure[]> {
  const server = await SoakServer.start('double', { DOUBLE_FIXED_MS: '200', DOUBLE_PER_INPUT_MS: '0' })
  const patient = loadOf(server)
  // Two for each engine process, so that there is always other work.
  patient.clients(4)
  await sleep(1000)
  const hurried = loadOf(server, { 'x-request-timeout-ms': '20' })
  await hurried.rate(50, seconds * 1000)
  await hurried.stop()
  await patient.stop()
  const computed = (await server.metrics()).get('resnet_batch_size_sum') ?? Number.NaN
  await server.stop()
  const late = hurried.outcomes.filter(({ status }) => status === 504 || status === 503)
  return [
    { what: 'hurried requests', value: hurried.outcomes.length, unit: '' },
    { what: 'told so (504, or 503 before they wait)', value: late.length, unit: 'requests' },
    { what: 'slowest of them', value: percentileMs(late, 1), unit: 'ms', atMost: 40 },
    {
      what: 'inputs computed that no patient client sent',
      value: computed - patient.outcomes.length,
      unit: 'inputs',
      atMost: 0,
    },
  ]
}

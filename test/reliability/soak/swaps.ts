import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { addVersion, numberOf } from '../../helpers/model-versions.ts'
import { Load, percentileMs, tally } from '../load.ts'
import { TENSORS, tensors } from './inputs.ts'
import { SoakServer } from './server.ts'
import type { Figure } from './verdict.ts'

const CLIENTS = 32
const KEY = 'soak'
const DIGITS = resolve(import.meta.dirname, '../../../models/digits/1')

/** What is wrong with an answer: it names one version and has the numbers of another. */
function judge(body: string): string | undefined {
  const { model, results } = JSON.parse(body) as { model: { version: string }; results: { logits: number[] }[] }
  const number = numberOf(results[0]?.logits ?? [])
  return String(number) === model.version ? undefined : `version ${model.version} answers as ${number}`
}

/**
 * The default model in fp32, each version loaded while the one before it serves, which is unloaded then; spread over so many
 * seconds, or longer where the machine is slower. Before it, the same load without any change.
 */
export async function swaps(count: number, seconds: number): Promise<Figure[]> {
  const repository = mkdtempSync(join(tmpdir(), 'swaps-'))
  addVersion(repository, '0', { from: DIGITS })
  const server = await SoakServer.start('built', { MODEL_REPOSITORY: repository, ADMIN_API_KEY: KEY })
  const load = new Load({
    url: `${server.url}/embed?include=logits`,
    contentType: TENSORS,
    body: () => tensors(),
    judge,
  })
  load.clients(CLIENTS)
  await sleep(3000)
  const quietFrom = performance.now()
  await sleep(seconds * 500)
  const memory = await memoryOf(server)
  const from = performance.now()
  let loadMs = 0
  for (let number = 1; number <= count; number++) {
    addVersion(repository, String(number), { from: DIGITS })
    const start = performance.now()
    await change(server, 'load', number)
    loadMs += performance.now() - start
    await change(server, 'unload', number - 1)
    await sleep(Math.max(0, from + (number * seconds * 1000) / count - performance.now()))
  }
  const to = performance.now()
  // Two pulses, by which engine processes tell what they hold.
  await sleep(2500)
  const after = await memoryOf(server)
  await load.stop()
  await server.stop()
  rmSync(repository, { recursive: true })

  const within = (start: number, end: number) =>
    load.outcomes.filter(({ startedAt, ms }) => startedAt + ms >= start && startedAt < end)
  const [quiet, changing] = [within(quietFrom, from), within(from, to)]
  const wrong = load.outcomes.filter(({ status, code }) => status !== 200 || code !== undefined)
  if (wrong.length > 0) console.log(`  ${JSON.stringify(tally(wrong))}`)
  const [usual, meanwhile] = [percentileMs(quiet, 0.99), percentileMs(changing, 0.99)]
  return [
    { what: 'requests while versions change', value: changing.length, unit: '' },
    { what: 'versions swapped', value: count, unit: '' },
    { what: 'failed requests, and answers of two versions', value: wrong.length, unit: 'requests', atMost: 0 },
    { what: 'a load takes', value: loadMs / count, unit: 'ms' },
    { what: 'p50 without changes', value: percentileMs(quiet, 0.5), unit: 'ms' },
    { what: 'p50 with', value: percentileMs(changing, 0.5), unit: 'ms' },
    { what: 'p99 without changes', value: usual, unit: 'ms' },
    { what: 'p99 with', value: meanwhile, unit: 'ms', atMost: 2 * usual },
    { what: 'growth of the HTTP process', value: after.http - memory.http, unit: 'MiB', atMost: 50 },
    { what: 'memory of the engine processes before', value: memory.engines, unit: 'MiB' },
    { what: 'their growth', value: after.engines - memory.engines, unit: 'MiB', atMost: 50 },
  ]
}

async function change(server: SoakServer, what: 'load' | 'unload', version: number): Promise<void> {
  const answer = await fetch(`${server.url}/v2/repository/models/digits/${what}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${KEY}` },
    body: JSON.stringify({ parameters: { version: String(version) } }),
  })
  if (answer.status !== 200) throw new Error(`${what} ${version}: ${await answer.text()}`)
}

async function memoryOf(server: SoakServer): Promise<{ http: number; engines: number }> {
  const engines = (await server.metrics()).get('resnet_engine_resident_memory_bytes') ?? Number.NaN
  return { http: server.rssMiB, engines: engines / 2 ** 20 }
}

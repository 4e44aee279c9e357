/**
 * A real Prometheus scrapes three real replicas under a short load. Every query of the dashboard and every vector that an
 * alert compares must give data, and more than zeros where the load causes what they count. `npm run test:monitoring`; needs
 * `prometheus` and `promtool`.
 */
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { dashboard } from '../../deploy/monitoring/dashboard.ts'
import { SoakServer } from '../reliability/soak/server.ts'
import { Prometheus } from './prometheus.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const MONITORING = join(ROOT, 'deploy/monitoring')
const MODEL = 'custom-blocks'
/** Of one input of that model. */
const ITEM_BYTES = 11 * 9 * 4
const QUEUE = 16
/** Of the load. */
const SECONDS = 12
/** What the queries look back on: the load, and a little before it. */
const WINDOW_S = SECONDS + 3
/** For `$__rate_interval`: ten scrapes, since a busy machine misses some. */
const RATE_INTERVAL = '10s'
/** Of everything; a third of it is usual. */
const TIMEOUT_MS = 120_000
/** Panels that may show zeros: the queue is empty at most moments, and this engine's library counts no tensors. */
const MAY_BE_ZERO = ['Queue depth', 'Tensors']

function checkFiles(): void {
  for (const args of [
    ['check', 'config', 'prometheus.yml'],
    ['check', 'rules', 'alerts.yml'],
    ['test', 'rules', 'alerts.test.yml'],
  ]) {
    execFileSync('promtool', args, { cwd: MONITORING, stdio: 'inherit' })
  }
}

async function startReplicas(repository: string): Promise<SoakServer[]> {
  mkdirSync(join(repository, MODEL))
  symlinkSync(join(ROOT, 'test/fixtures/parity', MODEL), join(repository, MODEL, '1'))
  const env = {
    MODEL_REPOSITORY: repository,
    ENGINE: 'onnx',
    ENGINE_PROCESSES: '1',
    ENGINE_THREADS: '1',
    CACHE_MB: '1',
    MAX_QUEUE_SIZE: String(QUEUE),
    MAX_INPUTS_PER_REQUEST: String(QUEUE),
    MAX_EVENT_LOOP_DELAY_MS: '0',
  }
  return await Promise.all([1, 2, 3].map(() => SoakServer.start('built', env)))
}

/** Good requests, equal and new ones; bursts that a queue of this size cannot hold; bodies that are no tensor. */
async function load(replicas: SoakServer[]): Promise<void> {
  const post = async (url: string, body: Uint8Array): Promise<void> => {
    const headers = { 'content-type': 'application/octet-stream' }
    await (await fetch(url, { method: 'POST', headers, body })).arrayBuffer()
  }
  const one = (): Uint8Array => (Math.random() < 0.5 ? new Uint8Array(ITEM_BYTES) : randomInputs(1))
  const end = performance.now() + 1000 * SECONDS
  const each = replicas.map(async ({ url }) => {
    while (performance.now() < end) {
      for (let i = 0; i < 20; i++) await post(`${url}/embed`, one())
      await post(`${url}/classify`, new Uint8Array(ITEM_BYTES - 1))
      await Promise.all(Array.from({ length: 20 }, () => post(`${url}/classify`, randomInputs(QUEUE))))
      await sleep(200)
    }
  })
  await Promise.all(each)
}

function randomInputs(count: number): Uint8Array {
  return new Uint8Array(Float32Array.from({ length: (count * ITEM_BYTES) / 4 }, Math.random).buffer)
}

/** What a rule compares or combines, each side for itself: the rule as a whole has no data while all is well. */
function vectorsOf(query: string): string[] {
  return query.split(/\s(?:and|or|[<>]=?|==|!=)\s/).filter((side) => Number.isNaN(Number(side)))
}

async function main(): Promise<boolean> {
  setTimeout(() => {
    console.error(`not done after ${TIMEOUT_MS / 1000} s`)
    process.exit(1)
  }, TIMEOUT_MS).unref()
  checkFiles()
  const repository = mkdtempSync(join(tmpdir(), 'repository-'))
  process.on('exit', () => rmSync(repository, { recursive: true, force: true }))
  const replicas = await startReplicas(repository)
  const prometheus = await Prometheus.start(replicas.map(({ url }) => new URL(url).host))
  // What happens before a replica's first scrape is in no rate.
  while (!(await prometheus.points('sum(up)', 0)).includes(replicas.length)) await sleep(200)
  const loaded = load(replicas)
  await sleep(1000)
  replicas[0]?.killEngine()
  await loaded
  // One more scrape.
  await sleep(1500)

  const problems: string[] = []
  const report = (what: string, query: string, points: number[], mayBeZero: boolean): void => {
    const problem = points.length === 0 ? 'no data' : mayBeZero || points.some((value) => value > 0) ? '' : 'only zeros'
    console.log(`  ${problem || 'data'}  ${what}`)
    if (problem) problems.push(`${what}: ${problem}: ${query}`)
  }
  for (const panel of dashboard().panels ?? []) {
    const { title = '', targets = [] } = panel as { title?: string; targets?: { expr?: string }[] }
    for (const { expr = '' } of targets) {
      const query = expr.replaceAll('$__rate_interval', RATE_INTERVAL).replaceAll(/\$(job|instance)\b/g, '.*')
      report(title, query, await prometheus.points(query, WINDOW_S), MAY_BE_ZERO.includes(title))
    }
  }
  const rules = await prometheus.rules()
  for (const { name, query, health, lastError } of rules) {
    if (health !== 'ok') problems.push(`${name}: ${health} ${lastError ?? ''}`)
    for (const vector of vectorsOf(query)) {
      report(name, vector, await prometheus.points(vector, WINDOW_S), false)
    }
  }
  if (rules.length === 0) problems.push('Prometheus has no rules')
  await Promise.all(replicas.map((each) => each.stop()))
  for (const problem of problems) console.error(problem)
  return problems.length === 0
}

process.exit((await main()) ? 0 : 1)

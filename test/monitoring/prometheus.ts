import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { killAtExit } from '../../bench/child-process.ts'
import { freePort } from '../../bench/server-process.ts'

const ALERTS = resolve(import.meta.dirname, '../../deploy/monitoring/alerts.yml')
const START_TIMEOUT_MS = 20_000

/** A rule of alerts.yml as Prometheus has it. */
export interface Rule {
  name: string
  query: string
  type: 'alerting' | 'recording'
  /** `ok` once it was evaluated. */
  health: string
  lastError?: string
}

/** A real Prometheus, which scrapes these replicas each second and evaluates the alerts that are shipped. */
export class Prometheus {
  readonly #url: string
  readonly #folder: string

  static async start(targets: string[]): Promise<Prometheus> {
    const folder = mkdtempSync(join(tmpdir(), 'prometheus-'))
    const port = await freePort()
    const config = {
      global: { scrape_interval: '1s', evaluation_interval: '1s' },
      rule_files: [ALERTS],
      scrape_configs: [{ job_name: 'resnet-serve', static_configs: [{ targets }] }],
    }
    // JSON is YAML.
    writeFileSync(join(folder, 'prometheus.yml'), JSON.stringify(config))
    const options = {
      'config.file': join(folder, 'prometheus.yml'),
      'storage.tsdb.path': join(folder, 'data'),
      'web.listen-address': `127.0.0.1:${port}`,
      'log.level': 'error',
    }
    const args = Object.entries(options).map(([name, value]) => `--${name}=${value}`)
    const child = spawn('prometheus', args, { stdio: ['ignore', 'inherit', 'inherit'] })
    killAtExit(child)
    const prometheus = new Prometheus(`http://127.0.0.1:${port}`, folder)
    const late = performance.now() + START_TIMEOUT_MS
    while (!(await prometheus.#isReady())) {
      if (child.exitCode !== null || performance.now() > late) throw new Error('Prometheus did not start')
      await sleep(100)
    }
    return prometheus
  }

  private constructor(url: string, folder: string) {
    this.#url = url
    this.#folder = folder
    process.on('exit', () => rmSync(this.#folder, { recursive: true, force: true }))
  }

  /** The numbers of all lines that Grafana would draw over the last `seconds`. NaN is no point of a line. */
  async points(query: string, seconds: number): Promise<number[]> {
    const end = Date.now() / 1000
    const range = { query, start: String(end - seconds), end: String(end), step: '1' }
    const { result } = await this.#get<{ result: { values: [number, string][] }[] }>('query_range', range)
    return result
      .flatMap(({ values }) => values.map(([, value]) => Number(value)))
      .filter((value) => !Number.isNaN(value))
  }

  async rules(): Promise<Rule[]> {
    const { groups } = await this.#get<{ groups: { rules: Rule[] }[] }>('rules', {})
    return groups.flatMap(({ rules }) => rules)
  }

  async #get<Data>(path: string, query: Record<string, string>): Promise<Data> {
    const answer = await fetch(`${this.#url}/api/v1/${path}?${new URLSearchParams(query)}`)
    const { status, data, error } = (await answer.json()) as { status: string; data: Data; error?: string }
    if (status !== 'success') throw new Error(`${path} ${query.query ?? ''}: ${error}`)
    return data
  }

  async #isReady(): Promise<boolean> {
    try {
      return (await fetch(`${this.#url}/-/ready`)).ok
    } catch {
      return false
    }
  }
}

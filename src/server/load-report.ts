import type { Clock } from '../batching/clock.ts'

/** Rates and shares are those of the last full period of this length (ms). */
const PERIOD_MS = 1000

export interface LoadSources {
  clock: Clock
  /** Milliseconds of CPU time that this process has used so far. */
  cpuMs: () => number
  /** Cores that this process may use. */
  cores: number
  /** Share of the memory that this process holds. */
  memory: () => number
  /** Share of the queue that is taken. */
  queue: () => number
}

/**
 * How busy this replica is, for balancers that weigh replicas by it: an ORCA load report (xds.data.orca.v3.OrcaLoadReport)
 * in the text or the JSON form of the header `endpoint-load-metrics`.
 *
 * `application_utilization` is the share of the time in which the engine computed, plus the share of the queue that is
 * taken: it tells a busy replica from one that falls behind, and may exceed 1. `cpu_utilization` is the HTTP process's.
 */
export class LoadReport {
  readonly #sources: LoadSources
  #period: { at: number; cpuMs: number }
  #counted = { requests: 0, errors: 0, computeMs: 0 }
  #last = { cpu_utilization: 0, mem_utilization: 0, rps_fractional: 0, eps: 0, engine_utilization: 0 }

  constructor(sources: LoadSources) {
    this.#sources = sources
    this.#period = { at: sources.clock.now(), cpuMs: sources.cpuMs() }
  }

  countRequest(failed: boolean): void {
    this.#counted.requests++
    if (failed) this.#counted.errors++
  }

  countBatch(computeMs: number): void {
    this.#counted.computeMs += computeMs
  }

  /** The value of the header. */
  render(format: 'text' | 'json'): string {
    this.#endPeriod()
    const { engine_utilization, ...last } = this.#last
    const queue = this.#sources.queue()
    const report = { application_utilization: engine_utilization + queue, ...last }
    const named = { engine_utilization, queue_utilization: queue }
    if (format === 'json') return `JSON ${JSON.stringify({ ...report, named_metrics: named }, rounded)}`
    const metrics = [
      ...Object.entries(report),
      ...Object.entries(named).map(([name, value]) => [`named_metrics.${name}`, value] as const),
    ]
    return `TEXT ${metrics.map(([name, value]) => `${name}=${rounded(name, value)}`).join(',')}`
  }

  #endPeriod(): void {
    const { clock, cpuMs, cores, memory } = this.#sources
    const elapsedMs = clock.now() - this.#period.at
    if (elapsedMs < PERIOD_MS) return
    const { requests, errors, computeMs } = this.#counted
    const cpu = cpuMs()
    this.#last = {
      cpu_utilization: (cpu - this.#period.cpuMs) / elapsedMs / cores,
      mem_utilization: memory(),
      rps_fractional: (requests * 1000) / elapsedMs,
      eps: (errors * 1000) / elapsedMs,
      engine_utilization: computeMs / elapsedMs,
    }
    this.#counted = { requests: 0, errors: 0, computeMs: 0 }
    this.#period = { at: clock.now(), cpuMs: cpu }
  }
}

/** Three decimals are more than any balancer weighs. */
function rounded(_name: string, value: unknown): unknown {
  return typeof value === 'number' ? Math.round(value * 1000) / 1000 : value
}

import { availableParallelism, cpus, loadavg } from 'node:os'
import type { Precision } from '../src/engines/engine.ts'
import type { CpuMs } from './cpu.ts'
import type { InputKindName, PictureKindName } from './inputs.ts'
import type { Memory } from './memory.ts'
import type { Timing } from './options.ts'
import type { AnswerKind, ServedModel } from './server-api.ts'
import type { Series } from './statistics.ts'

/** Of the file that --json writes; raised when a field changes its meaning. */
export const RESULTS_FORMAT = 3 as const

export interface Machine {
  processor: string
  cores: number
  platform: string
  node: string
  /** Over the minute before the run; well above 0 means that something else was at work. */
  loadAverage: number
}

export interface RawResult {
  precision: Precision
  batchSize: number
  imagesPerS: Series
}

export interface LoadScenario {
  input: InputKindName
  answer: AnswerKind
  /** Connections. */
  clients: number
  /** Of an open loop: requests per second. */
  ratePerS?: number
}

export interface HttpResult extends LoadScenario {
  answersPerS: Series
  p50Ms: Series
  p99Ms: Series
  meanBatchSize: number
  answered: number
  errors: Record<string, number>
  /** CPU time of the server's processes per answer. */
  cpuMs: Record<keyof CpuMs, Series>
  /** Seconds of warm-up until that time no longer fell. */
  settledS: number
  /** CPU time of the load generator per answer. */
  generatorUs: number
  /** Right after the load. */
  memory: Memory | undefined
}

/** Pictures that sharp alone decodes, in one process that does nothing else. */
export interface DecodeResult {
  input: PictureKindName
  picturesPerS: Series
}

/** All that a run says, as it is written with --json; the report is made of nothing else. */
export interface Results {
  format: typeof RESULTS_FORMAT
  date: string
  machine: Machine
  engine: Record<string, unknown>
  model: ServedModel
  /** What the server computed in. */
  precision: Precision
  timing: Timing
  /** Options of the server that the environment set. */
  settings: Record<string, string>
  startupMs: Series
  /** At ready, before any request. */
  memory: Memory | undefined
  raw: RawResult[]
  /** Precisions that could not be had, and why. */
  notMeasured: { precision: Precision; reason: string }[]
  /** Closed loop. */
  closed: HttpResult[]
  /** Open loop: requests at a fixed rate, latency from the time each was due. */
  open: HttpResult[]
  /** Closed loop, with an engine that computes nothing. */
  null: HttpResult[]
  decode: DecodeResult[]
}

export function machine(): Machine {
  return {
    processor: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    platform: `${process.platform} ${process.arch}`,
    node: process.version,
    loadAverage: loadavg()[0] ?? 0,
  }
}

/** The batch size at which the raw engine does most in the precision that is served. */
export function bestRaw({ raw, precision }: Results): RawResult | undefined {
  const served = raw.filter((result) => result.precision === precision)
  return served.toSorted((a, b) => b.imagesPerS.median - a.imagesPerS.median)[0]
}

export function errorCount({ errors }: Pick<HttpResult, 'errors'>): number {
  return Object.values(errors).reduce((sum, count) => sum + count, 0)
}

export function allHttp({ closed, open, null: ceiling }: Results): HttpResult[] {
  return [...closed, ...open, ...ceiling]
}

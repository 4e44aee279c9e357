import { availableParallelism, cpus, loadavg } from 'node:os'
import type { InputKindName } from './inputs.ts'
import type { Memory } from './memory.ts'
import type { Timing } from './options.ts'
import type { ServedModel } from './server-api.ts'
import type { Series } from './statistics.ts'

/** Of the file that --json writes; raised when a field changes its meaning. */
export const RESULTS_FORMAT = 1 as const

export interface Machine {
  processor: string
  cores: number
  platform: string
  node: string
  /** Over the minute before the run; well above 0 means that something else was at work. */
  loadAverage: number
}

export interface RawResult {
  batchSize: number
  imagesPerS: Series
}

export interface HttpResult {
  input: InputKindName
  clients: number
  answersPerS: Series
  p50Ms: Series
  p99Ms: Series
  meanBatchSize: number
  answered: number
  errors: Record<string, number>
}

/** All that a run says, as it is written with --json; the report is made of nothing else. */
export interface Results {
  format: typeof RESULTS_FORMAT
  date: string
  machine: Machine
  engine: Record<string, unknown>
  model: ServedModel
  timing: Timing
  /** Options of the server that the environment set. */
  settings: Record<string, string>
  startupMs: Series
  memory: { ready: Memory | undefined; afterLoad: Memory | undefined }
  raw: RawResult[]
  http: HttpResult[]
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

/** The batch size at which the raw engine does most. */
export function bestRaw(raw: RawResult[]): RawResult {
  return raw.reduce((best, other) => (other.imagesPerS.median > best.imagesPerS.median ? other : best))
}

export function errorCount({ errors }: HttpResult): number {
  return Object.values(errors).reduce((sum, count) => sum + count, 0)
}

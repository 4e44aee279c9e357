import { runInChild } from '../child-process.ts'
import type { Payload } from '../inputs.ts'
import type { Timing } from '../options.ts'
import type { Window } from '../statistics.ts'

export interface LoadJob {
  url: string
  /** All different, at least one per client. */
  payloads: Payload[]
  headers?: Record<string, string>
  /** Connections, each with at most one request in flight. */
  clients: number
  /**
   * Requests per second, whatever the server does (open loop). Without it, each client sends when it has its answer.
   */
  ratePerS?: number | undefined
  timing: Timing
}

export interface LoadResult {
  /** Of the answers with status 200; only those count as throughput. */
  windows: Window[]
  /** Answers with status 200, warm-up included. */
  answered: number
  /** All other outcomes of requests, with counts; empty if all is well. */
  errors: Record<string, number>
  /** The generator's own CPU time per answer. */
  generatorUs: number
}

/** Loads the server from a process of its own, so that the generator delays neither the server nor this process. */
export function measureLoad(job: LoadJob): Promise<LoadResult> {
  if (job.payloads.length < job.clients) throw new Error(`${job.payloads.length} inputs for ${job.clients} clients`)
  return runInChild(new URL('./load-child.ts', import.meta.url), job)
}

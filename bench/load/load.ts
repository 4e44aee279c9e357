import { runInChild } from '../child-process.ts'
import type { Payload } from '../inputs.ts'
import type { Timing } from '../options.ts'
import type { Window } from '../statistics.ts'

export interface LoadJob {
  url: string
  /** All different, and at least as many as there are clients. */
  payloads: Payload[]
  headers?: Record<string, string>
  /** Connections, each with one request in flight at the most. */
  clients: number
  /** Requests per second, whatever the server does (open loop); without it each client sends when it has its answer. */
  ratePerS?: number | undefined
  timing: Timing
}

export interface LoadResult {
  /** Of the answers with status 200; no others count as throughput. */
  windows: Window[]
  /** Answers with status 200, warm-up included. */
  answered: number
  /** Everything else that became of requests, and how often; empty when all is well. */
  errors: Record<string, number>
  /** What the generator itself took of the machine: CPU time per answer. */
  generatorUs: number
}

/** Loads the server from a process of its own, so that the generator's work delays neither the server nor this process. */
export function measureLoad(job: LoadJob): Promise<LoadResult> {
  if (job.payloads.length < job.clients) throw new Error(`${job.payloads.length} inputs for ${job.clients} clients`)
  return runInChild(new URL('./load-child.ts', import.meta.url), job)
}

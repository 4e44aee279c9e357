import { Helper } from '../child-process.ts'
import type { Payload } from '../inputs.ts'
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
  /** With it these requests are a Poisson process; without, they are evenly spaced. */
  poissonSeed?: number
}

/** Seconds. Answers before the window belong to no window, but count in `answered`. */
export interface LoadTime {
  leadS: number
  windowS: number
}

export interface LoadResult {
  /** Of the answers with status 200; only those count as throughput. */
  window: Window
  /** Answers with status 200, lead included. */
  answered: number
  /** All other outcomes of requests, with counts; empty if all is well. */
  errors: Record<string, number>
  /** The generator's own CPU time per answer. */
  generatorUs: number
}

/** Loads a server from a process of its own, so that the generator delays neither the server nor this process. */
export class Load {
  readonly #helper = new Helper<LoadJob | LoadTime, LoadResult>(new URL('./load-child.ts', import.meta.url))

  private constructor() {}

  static async open(job: LoadJob): Promise<Load> {
    if (job.payloads.length < job.clients) throw new Error(`${job.payloads.length} inputs for ${job.clients} clients`)
    const load = new Load()
    await load.#helper.call(job)
    return load
  }

  /** Nothing is in flight before and after. */
  run(time: LoadTime): Promise<LoadResult> {
    return this.#helper.call(time)
  }

  close(): Promise<void> {
    return this.#helper.end()
  }
}

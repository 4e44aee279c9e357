import type { EngineName, EngineOptions, Precision } from '../src/engines/engine.ts'
import type { RepositoryEntry } from '../src/repository/repository.ts'
import { runInChild } from './child-process.ts'
import type { Timing } from './options.ts'

export interface RawEngineJob {
  engine: EngineName
  options: EngineOptions
  entry: RepositoryEntry
  batchSizes: number[]
  timing: Timing
}

export interface RawThroughput {
  /** The precision it used. */
  precision: Precision
  sizes: {
    batchSize: number
    /** One per window. */
    imagesPerS: number[]
  }[]
}

/**
 * The engine's rate when the machine does nothing else: the upper bound for a server around it. It is opened as in the
 * server's engine process, with the same threads, but called in a plain loop in its own process: no HTTP, no batching,
 * no messages, no server running. So the ratio includes everything that the server adds. Resolves with the engine's
 * message if it does not compile the model in that precision.
 */
export function measureRawEngine(job: RawEngineJob): Promise<RawThroughput | { refused: string }> {
  return runInChild(new URL('./raw-engine-child.ts', import.meta.url), job)
}

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
  /** What the engine computed in. */
  precision: Precision
  sizes: {
    batchSize: number
    /** One per window. */
    imagesPerS: number[]
  }[]
}

/**
 * What the engine does when nothing else is asked of the machine: the most that a server around it could answer. It is
 * opened here as the server's engine process opens it, with the same thread setting, but called in a plain loop in its
 * own process: no HTTP, no batching, no messages between processes, and the server must not be running. All that the
 * server adds, its engine process included, is thereby a cost in the ratio and not hidden in the yardstick. Resolves with
 * the engine's own words when it does not compile the model in the precision asked for.
 */
export function measureRawEngine(job: RawEngineJob): Promise<RawThroughput | { refused: string }> {
  return runInChild(new URL('./raw-engine-child.ts', import.meta.url), job)
}

import type { Batch, EngineName, EngineOptions, Outputs, Precision } from '../engines/engine.ts'
import type { RepositoryEntry } from '../repository/repository.ts'

/**
 * The calls from the server to an engine process. Messages are structured clones over `fork`'s channel (`serialization:
 * 'advanced'`), so typed arrays are sent as bytes. Inputs do not cross in them: see input-pipe.ts.
 */
interface Methods {
  /** The first call; once. */
  open(params: { choice: EngineName | 'auto'; options: EngineOptions }): OpenedInfo
  load(params: { key: string; entry: RepositoryEntry; allowedBatchSizes: number[] }): LoadedInfo
  run(params: Omit<Batch, 'input'> & { key: string; inputBytes: number }): Outputs
}

/** A batch on its way to a process. */
export interface InputBatch extends Omit<Batch, 'input'> {
  /** `[batchSize, C, H, W]` in all, in one array or in several. */
  inputs: readonly Float32Array[]
}

export interface OpenedInfo {
  engine: EngineName
  details: Record<string, string | number>
  /** See `Engine`. */
  takesAllThreads: boolean
  /** Engines that `auto` prefers, and why each cannot run here. */
  passedOver: { engine: EngineName; reason: string }[]
}

export interface LoadedInfo {
  precision: Precision
  /** Why `auto` did not take a faster precision. */
  precisionReason: string | undefined
  parameters: number
  loadMs: number
}

export type Method = keyof Methods
export type Params<M extends Method> = Parameters<Methods[M]>[0]
export type Result<M extends Method> = ReturnType<Methods[M]>

export type Request = { [M in Method]: { id: number; method: M; params: Params<M> } }[Method]

/** What an engine process reports every second. */
export interface Vitals {
  residentBytes: number
  /** Undefined if the library does not count them. */
  liveTensors: number | undefined
}

/** An answer to a call, a `pulse` as a sign of life, or a `warning` for the log. */
export type Reply =
  | { pulse: Vitals }
  | { warning: string }
  | { id: number; result: Result<Method> }
  | { id: number; error: string }

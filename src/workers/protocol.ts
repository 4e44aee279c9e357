import type { Batch, EngineName, EngineOptions, Outputs, Precision } from '../engines/engine.ts'
import type { RepositoryEntry } from '../repository/repository.ts'

/**
 * What the server and its engine process say to each other. Messages travel by structured clone over the channel that
 * `fork` opens (`serialization: 'advanced'`), so typed arrays cross as bytes.
 */
export interface Methods {
  /** First of all, and once. */
  open(params: { choice: EngineName | 'auto'; options: EngineOptions }): OpenedInfo
  load(params: { key: string; entry: RepositoryEntry; allowedBatchSizes: number[] }): LoadedInfo
  unload(params: { key: string }): null
  run(params: Batch & { key: string }): Outputs
}

export interface OpenedInfo {
  engine: EngineName
  details: Record<string, string | number>
  /** As the engine has it. */
  takesAllThreads: boolean
  /** Engines that would have been preferred, and why each cannot run here. */
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

/** What an engine process tells of itself every second. */
export interface Vitals {
  residentBytes: number
  /** Undefined where the library does not count them. */
  liveTensors: number | undefined
}

/** `pulse` says that the child's event loop turns, `warning` is a line for the log; neither answers anything. */
export type Reply =
  | { pulse: Vitals }
  | { warning: string }
  | { id: number; result: Result<Method> }
  | { id: number; error: string }

import type { Clock } from '../batching/clock.ts'
import type { Priority } from '../batching/job.ts'
import type { GpuFacts } from '../engines/gpu.ts'
import type { ErrorCode, ServeError } from '../errors.ts'
import type { ModelCatalog } from '../model/catalog.ts'
import type { InFlight } from '../model/in-flight.ts'
import type { Model } from '../model/model.ts'
import type { ModelRepository } from '../model/model-repository.ts'
import type { ImageDecoder } from '../preprocessing/image-decoder.ts'
import type { OpenedInfo } from '../workers/protocol.ts'

/** The trace of a request (server/tracing.ts). Times are on the services' clock (ms). */
export interface RequestTrace {
  /** Adds what was done for the request from one time to another. */
  addStage(name: string, from: number, to: number): void
  end(at: number, status: number, errorCode: ErrorCode | undefined): void
}

/** What `server/` keeps for each request. */
declare module 'fastify' {
  interface FastifyRequest {
    /** On the services' clock (ms): deadlines count from here. */
    arrivedAt: number
    /** When an inference request must be answered, on the services' clock (ms). */
    deadline: number
    /** How urgent an inference request is. */
    priority: Priority
    /** Name of the API key that it came with; undefined where none was asked for or it had none that is right. */
    apiKey: string | undefined
    /** Absent where requests are not traced. */
    trace?: RequestTrace
    /** Set when the request failed; for the log and the metrics. */
    errorCode: ErrorCode | undefined
  }
}

/** Whether requests are served, and why not. */
export type Readiness = 'ready' | 'starting' | 'draining' | 'engine_unavailable'

/** Milliseconds a request spent in each stage; with several inputs, the longest of each. */
export interface StageTimings {
  decodeMs: number
  queueMs: number
  computeMs: number
}

export interface Limits {
  /** Bytes of one request body, and of one file in it. */
  maxBodyBytes: number
  /** Bytes of all request bodies that are held at once. */
  maxPendingBytes: number
  maxInputs: number
  /** Values in a JSON body, an array or object counting as ten. */
  maxJsonValues: number
  requestTimeoutMs: number
}

/** What routes use of the application. `server/` creates it; tests fake it. */
export interface Services {
  clock: Clock
  models: ModelCatalog
  /** Tells who takes a model away which requests may hold it still. */
  inFlight: InFlight
  /** Undefined where nobody may change the models. */
  repository?: Pick<ModelRepository, 'index' | 'load' | 'unload'> | undefined
  images: Pick<ImageDecoder, 'decodeAll'>
  limits: Limits
  readiness: () => Readiness
  /** Why this many inputs of a model would be refused now; asked before work is spent on them. */
  refusal: (model: Model, inputs: number, deadline: number, priority?: Priority) => ServeError | undefined
  /** Undefined until the engine has been opened. */
  engine: () => OpenedInfo | undefined
  /** Read at the start; empty without GPUs or without their driver. */
  gpus: () => readonly GpuFacts[]
  observeStages: (timings: StageTimings) => void
  /** The metrics in the Prometheus text format. */
  metrics: () => Promise<{ contentType: string; text: string }>
}

import type { ModelExtras } from '../repository/load-graph.ts'
import type { Graph } from '../resnet/graph.ts'

export const ENGINE_NAMES = ['cuda', 'tensorflow', 'onnx', 'wasm'] as const
export type EngineName = (typeof ENGINE_NAMES)[number]

/** What `ENGINE=auto` tries, in order. */
export const AUTO_ORDER = ['cuda', 'onnx', 'wasm'] as const satisfies readonly EngineName[]

/** What weights and activations are held in while a graph runs. Answers are float32 always. */
export const PRECISIONS = ['fp32', 'fp16', 'int8'] as const
export type Precision = (typeof PRECISIONS)[number]

/**
 * Threads that a batch may take of the CPU: all of them, or the process's share, since its neighbours compute meanwhile.
 * Engines without neighbours on the CPU, or with one thread, have no use for it.
 */
export type Threads = 'all' | 'share'

/** What a graph runs on. */
export interface Batch {
  /** `[batchSize, C, H, W]`, row-major. */
  input: Float32Array
  batchSize: number
  /** `all` unless given. */
  threads?: Threads | undefined
}

/** Both answers of one forward pass, rows in the order of the inputs. */
export interface Outputs {
  /** `[batch, numClasses]`, row-major. */
  logits: Float32Array
  /** `[batch, embeddingSize]`, row-major. */
  embedding: Float32Array
}

export interface EngineOptions {
  /** Threads that compute, of all processes together; 0 takes one per core. */
  threads: number
  /** `auto` takes the fastest that keeps the model's answers; one named here that the engine lacks is an error. */
  precision: 'auto' | Precision
  /** Folder that `resnet-serve install-tensorflow` filled; passed over where it does not exist. Absolute. */
  tensorflowDir: string
  gpu?: GpuOptions | undefined
  /** Absent where one process has all threads. */
  share?: Share | undefined
}

/** Which of the processes that share the CPU's threads this is, from 0, and how many they are. */
export interface Share {
  index: number
  count: number
}

export interface GpuOptions {
  /** The one GPU this process may see, as CUDA_VISIBLE_DEVICES names it; undefined leaves all visible. */
  device?: string | undefined
  /** Megabytes of its memory to take at the most; 0 or undefined sets no limit. */
  memoryLimitMb?: number | undefined
}

/** A way to run graphs, opened once per engine process. An engine knows nothing of HTTP, queues or files. */
export interface Engine {
  readonly name: EngineName
  /** For /info and the log: library, version, device. */
  readonly details: Record<string, string | number>
  /**
   * True where the first run of a new batch size is slow (CUDA picks its algorithms per shape): batches are then padded
   * up to the allowed sizes, each of which is run once before the server is ready.
   */
  readonly fixedBatchSizes: boolean
  /**
   * True where the first of several processes can take all threads for a batch (`Batch.threads`). A batch on all threads
   * has its answers sooner than two side by side, so the other processes are for when more waits than one.
   */
  readonly takesAllThreads: boolean
  /** Tensors that the library holds now; a number that grows is a leak. Absent where the library has no such count. */
  liveTensors?: () => number
  /** Rejects with a plain Error when the precision asked for cannot be had. */
  compile(graph: Graph, extras?: ModelExtras): Promise<CompiledGraph>
}

/** A graph with its weights, ready to run. Owns what it allocated until `dispose`. */
export interface CompiledGraph {
  readonly precision: Precision
  /** Why `auto` did not take a faster precision; for the log and /info. */
  readonly precisionReason?: string | undefined
  /** Runs are never concurrent. */
  run(batch: Batch): Promise<Outputs>
  dispose(): Promise<void>
}

/** Opens an engine, or throws an Error whose message says why it cannot run on this machine. */
export type OpenEngine = (options: EngineOptions) => Promise<Engine>

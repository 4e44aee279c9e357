import type { ModelExtras } from '../repository/load-graph.ts'
import type { Graph } from '../resnet/graph.ts'

export const ENGINE_NAMES = ['cuda', 'tensorflow', 'onnx', 'wasm'] as const
export type EngineName = (typeof ENGINE_NAMES)[number]

/** What `ENGINE=auto` tries, in order. */
export const AUTO_ORDER = ['cuda', 'onnx', 'wasm'] as const satisfies readonly EngineName[]

/** Type of weights and activations while a graph runs. Answers are always float32. */
export const PRECISIONS = ['fp32', 'fp16', 'bf16', 'int8'] as const
export type Precision = (typeof PRECISIONS)[number]

/**
 * CPU threads that a batch may use: all, or only the process's share because other processes compute too. Ignored by
 * engines that do not share the CPU or have one thread.
 */
export type Threads = 'all' | 'share'

/** The inputs of one run. */
export interface Batch {
  /** `[batchSize, C, H, W]`, row-major. */
  input: Float32Array
  batchSize: number
  /** `all` unless given. */
  threads?: Threads | undefined
}

/** Both answers of one forward pass. Rows are in the order of the inputs. */
export interface Outputs {
  /** `[batch, numClasses]`, row-major. */
  logits: Float32Array
  /** `[batch, embeddingSize]`, row-major. */
  embedding: Float32Array
}

export interface EngineOptions {
  /** Threads that compute, over all processes; 0 means one per core. */
  threads: number
  /** `auto` takes the fastest that preserves the model's answers. Naming one that the engine lacks is an error. */
  precision: 'auto' | Precision
  /** Absolute path of the folder that `resnet-serve install-tensorflow` writes; need not exist. */
  tensorflowDir: string
  gpu?: GpuOptions | undefined
  /** Absent if one process has all threads. */
  share?: Share | undefined
  /** Whether what is compiled will run a few times only: it may then be slower, and take less memory and time to load. */
  forFewRuns?: boolean | undefined
}

/** Index of this process among those that share the CPU, from 0, and their number. */
export interface Share {
  index: number
  count: number
}

export interface GpuOptions {
  /** The only GPU visible to this process, as in CUDA_VISIBLE_DEVICES; undefined leaves all visible. */
  device?: string | undefined
  /** Most megabytes of GPU memory to use; 0 or undefined is no limit. */
  memoryLimitMb?: number | undefined
}

/** A way to run graphs, opened once per engine process. An engine knows nothing of HTTP, queues or files. */
export interface Engine {
  readonly name: EngineName
  /** For /info and the log: library, version, device. */
  readonly details: Record<string, string | number>
  /**
   * True if the first run of a batch size is slow (CUDA chooses algorithms per shape). Batches are then padded up to the
   * allowed sizes, and each size is run once before the server is ready.
   */
  readonly fixedBatchSizes: boolean
  /**
   * True if the first of several processes can use all threads for a batch (`Batch.threads`). A single batch ends sooner
   * on all threads, so the other processes get work only when more than one batch waits.
   */
  readonly takesAllThreads: boolean
  /** Tensors that the library holds; a growing number is a leak. Absent if the library does not count them. */
  liveTensors?: () => number
  /** Rejects with a plain Error when the requested precision is not possible. */
  compile(graph: Graph, extras?: ModelExtras): Promise<CompiledGraph>
}

/** A graph with its weights, ready to run. `dispose` frees what it allocated; methods do not use `this`. */
export interface CompiledGraph {
  readonly precision: Precision
  /** Why `auto` did not take a faster precision. */
  readonly precisionReason?: string | undefined
  /** Runs are never concurrent. */
  run(batch: Batch): Promise<Outputs>
  dispose(): Promise<void>
}

/** Opens an engine. Rejects with an Error that says why it cannot run on this machine. */
export type OpenEngine = (options: EngineOptions) => Promise<Engine>

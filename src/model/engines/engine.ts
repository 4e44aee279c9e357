import type { Graph } from '../graph.ts'
import type { Quantization } from '../quantization/quantization.ts'
import type { Reference } from '../reference.ts'

export const ENGINE_NAMES = ['cuda', 'tensorflow', 'onnx', 'wasm'] as const
export type EngineName = (typeof ENGINE_NAMES)[number]

/** What `ENGINE=auto` tries, in order. */
export const AUTO_ORDER = ['cuda', 'onnx', 'wasm'] as const satisfies readonly EngineName[]

/** What weights and activations are held in while a graph runs. Answers are float32 always. */
export const PRECISIONS = ['fp32', 'fp16', 'int8'] as const
export type Precision = (typeof PRECISIONS)[number]

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
  /** Tensors that the library holds now; a number that grows is a leak. Absent where the library has no such count. */
  liveTensors?: () => number
  /** Rejects with a plain Error when the precision asked for cannot be had. */
  compile(graph: Graph, extras?: CompileExtras): Promise<CompiledGraph>
}

/** Which of the CPU's processes this is, and how many share its threads. */
export interface Share {
  index: number
  count: number
}

/** What is known of a model beside its graph, and of the process beside its engine. */
export interface CompileExtras {
  /** Absent where there is one process, whose are all threads. */
  share?: Share | undefined
  /** Present where the model was calibrated for int8. */
  quantization?: Quantization | undefined
  /** Inputs with PyTorch's answers, against which a lower precision proves itself at load. */
  reference?: Reference | undefined
}

/** A graph with its weights, ready to run. Owns what it allocated until `dispose`. */
export interface CompiledGraph {
  readonly precision: Precision
  /** Why `auto` did not take a faster precision; for the log and /info. */
  readonly precisionReason?: string | undefined
  /**
   * `input` is `[batchSize, C, H, W]`, row-major. Runs are never concurrent. `shared`: other processes compute meanwhile,
   * so this one should keep to its share of the threads.
   */
  run(input: Float32Array, batchSize: number, shared?: boolean): Promise<Outputs>
  dispose(): Promise<void>
}

/** Opens an engine, or throws an Error whose message says why it cannot run on this machine. */
export type OpenEngine = (options: EngineOptions) => Promise<Engine>

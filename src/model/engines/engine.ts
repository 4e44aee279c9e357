import type { Graph } from '../graph.ts'

export const ENGINE_NAMES = ['cuda', 'tensorflow', 'onnx', 'wasm'] as const
export type EngineName = (typeof ENGINE_NAMES)[number]

/** What `ENGINE=auto` tries, in order. */
export const AUTO_ORDER = ['cuda', 'onnx', 'wasm'] as const satisfies readonly EngineName[]

/** Both answers of one forward pass, rows in the order of the inputs. */
export interface Outputs {
  /** `[batch, numClasses]`, row-major. */
  logits: Float32Array
  /** `[batch, embeddingSize]`, row-major. */
  embedding: Float32Array
}

export interface EngineOptions {
  /** Threads for one batch; 0 leaves it to the engine. */
  threads: number
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
  compile(graph: Graph): Promise<CompiledGraph>
}

/** A graph with its weights, ready to run. Owns what it allocated until `dispose`. */
export interface CompiledGraph {
  /** `input` is `[batchSize, C, H, W]`, row-major. Runs are never concurrent. */
  run(input: Float32Array, batchSize: number): Promise<Outputs>
  dispose(): Promise<void>
}

/** Opens an engine, or throws an Error whose message says why it cannot run on this machine. */
export type OpenEngine = (options: EngineOptions) => Promise<Engine>

// First: it must be there when onnxruntime starts.
import './onnx-telemetry.ts'
import ort from 'onnxruntime-node'
import type { Graph } from '../graph.ts'
import { type EmitOptions, emitOnnx } from './onnx-emitter.ts'

/**
 * How long a thread looks for more work before it sleeps. Between two operators there is more within this time; the
 * default is so long that threads spin between batches, on cores that HTTP and decoding want (docs/quantization.md).
 */
const SPIN_US = '50'

interface SessionOptions extends EmitOptions {
  threads: number
}

/** A graph loaded into onnxruntime. */
export interface OnnxSession {
  /** `input` is `[batchSize, C, H, W]`. Answers with the graph's outputs, and what else was asked for, by name. */
  run(input: Float32Array, batchSize: number): Promise<Record<string, Float32Array>>
  release(): Promise<void>
}

export async function openSession(graph: Graph, { threads, ...emit }: SessionOptions): Promise<OnnxSession> {
  const session = await ort.InferenceSession.create(emitOnnx(graph, emit), {
    executionProviders: ['cpu'],
    graphOptimizationLevel: 'all',
    executionMode: 'sequential',
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    // It would keep a block of memory for each batch size that it has seen.
    enableMemPattern: false,
    extra: { session: { intra_op: { spin_duration_us: SPIN_US } } },
  })
  const { name, shape } = graph.input
  return {
    async run(input, batchSize) {
      const answers = await session.run({ [name]: new ort.Tensor('float32', input, [batchSize, ...shape]) })
      return Object.fromEntries(Object.entries(answers).map(([output, { data }]) => [output, data as Float32Array]))
    },
    release: () => session.release(),
  }
}

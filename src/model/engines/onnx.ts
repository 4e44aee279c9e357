import { createRequire } from 'node:module'
import { availableParallelism } from 'node:os'
import ort from 'onnxruntime-node'
import type { Graph } from '../graph.ts'
import type { CompiledGraph, Engine, EngineOptions, Outputs } from './engine.ts'
import { emitOnnx } from './onnx-emitter.ts'

const { version } = createRequire(import.meta.url)('onnxruntime-node/package.json') as { version: string }

/** The fast CPU engine: the graph goes to onnxruntime as ONNX bytes made in memory. */
export async function openOnnx(options: EngineOptions): Promise<Engine> {
  const { precision } = options
  if (precision === 'fp16') throw new Error('PRECISION=fp16: onnx computes in fp32 or int8')
  const threads = options.threads || availableParallelism()
  return {
    name: 'onnx',
    details: { library: 'onnxruntime-node', version, device: 'cpu', threads },
    fixedBatchSizes: false,
    compile: (graph) => compile(graph, threads),
  }
}

async function compile(graph: Graph, threads: number): Promise<CompiledGraph> {
  const session = await ort.InferenceSession.create(emitOnnx(graph), {
    executionProviders: ['cpu'],
    graphOptimizationLevel: 'all',
    executionMode: 'sequential',
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
  })
  const { input, outputs } = graph
  return {
    precision: 'fp32',
    async run(data, batchSize): Promise<Outputs> {
      const answers = await session.run({ [input.name]: new ort.Tensor('float32', data, [batchSize, ...input.shape]) })
      return {
        logits: answers[outputs.logits]?.data as Float32Array,
        embedding: answers[outputs.embedding]?.data as Float32Array,
      }
    },
    dispose: () => session.release(),
  }
}

import { type BackendWasm, setThreadsCount } from '@tensorflow/tfjs-backend-wasm'
import * as tf from '@tensorflow/tfjs-core'
import type { Graph } from '../../resnet/graph.ts'
import type { CompiledGraph, Engine, EngineOptions, Outputs } from '../engine.ts'
import { interpret, type TensorWeights, uploadWeights } from './interpreter.ts'

/** The portable fallback: tfjs on WebAssembly with SIMD, one thread (its threads do not start under Node). */
export async function openWasm({ precision }: EngineOptions): Promise<Engine> {
  if (precision !== 'auto' && precision !== 'fp32') throw new Error(`PRECISION=${precision}: wasm computes in fp32`)
  setThreadsCount(1)
  await tf.setBackend('wasm')
  await tf.ready()
  // If wasm fails to start, tfjs silently falls back to plain JavaScript, which is 30 times slower.
  if (tf.getBackend() !== 'wasm') throw new Error(`the wasm backend did not start (got ${tf.getBackend()})`)
  refuseToOverflow((tf.backend() as BackendWasm).wasm)
  return {
    name: 'wasm',
    details: { library: '@tensorflow/tfjs-backend-wasm', version: tf.version_core, device: 'cpu', threads: 1 },
    fixedBatchSizes: false,
    takesAllThreads: false,
    compile: async (graph) => compileForTfjs(graph),
    liveTensors: () => tf.memory().numTensors,
  }
}

/**
 * WebAssembly has 4 GiB. When they are full, tfjs puts a tensor at address 0 and writes over its own data, after which nothing
 * works. Here it throws, and smaller batches can follow (`memory-bounded-graph.ts`).
 */
function refuseToOverflow({ tfjs }: BackendWasm['wasm']): void {
  const register = tfjs.registerTensor
  tfjs.registerTensor = (id, size, address) => {
    if (address === 0 && size > 0) throw new Error('wasm is out of memory: its 4 GiB are full')
    register(id, size, address)
  }
}

function compileForTfjs(graph: Graph): CompiledGraph {
  const weights: TensorWeights = uploadWeights(graph)
  return {
    precision: 'fp32',
    async run({ input, batchSize }): Promise<Outputs> {
      const answers = tf.tidy(() => interpret(graph, weights, input, batchSize))
      const [logits, embedding] = await Promise.all([answers.logits?.data(), answers.embedding.data()])
      tf.dispose(answers)
      return { logits: (logits ?? new Float32Array()) as Float32Array, embedding: embedding as Float32Array }
    },
    async dispose() {
      for (const tensor of weights.values()) tensor.dispose()
    },
  }
}

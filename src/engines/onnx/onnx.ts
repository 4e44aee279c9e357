import { createRequire } from 'node:module'
import { availableParallelism } from 'node:os'
import type { ModelExtras } from '../../repository/load-graph.ts'
import type { Quantization } from '../../repository/quantization.ts'
import type { Graph } from '../../resnet/graph.ts'
import type { CompiledGraph, Engine, EngineOptions, Outputs, Threads } from '../engine.ts'
import { MIN_COSINE, probeInputs, smallestCosine } from './self-check.ts'
import { dealThreads, openSession, openSessions, release, type Sessions } from './sessions.ts'

const { version } = createRequire(import.meta.url)('onnxruntime-node/package.json') as { version: string }

/** The fast CPU engine: runs the graph in onnxruntime, in fp32 or int8. */
export async function openOnnx({ precision, threads: wanted, share, forFewRuns }: EngineOptions): Promise<Engine> {
  if (precision === 'fp16' || precision === 'bf16') {
    throw new Error(`PRECISION=${precision}: onnx computes in fp32 or int8`)
  }
  const threads = wanted || availableParallelism()
  return {
    name: 'onnx',
    details: { library: 'onnxruntime-node', version, device: 'cpu', threads },
    fixedBatchSizes: false,
    takesAllThreads: true,
    compile: (graph, extras = {}) => compile(graph, extras, precision, dealThreads(threads, share), forFewRuns),
  }
}

async function compile(
  graph: Graph,
  extras: ModelExtras,
  precision: EngineOptions['precision'],
  threads: Record<Threads, number>,
  forFewRuns: boolean | undefined,
): Promise<CompiledGraph> {
  const inFp32 = async (precisionReason?: string) =>
    asCompiled(graph, await openSessions(graph, threads, { forFewRuns }), { precision: 'fp32', precisionReason })
  if (precision === 'fp32') return inFp32()
  const { quantization, reference } = extras
  if (quantization === undefined) {
    const reason = 'the model has no scales for int8: model.json has no quantization'
    if (precision === 'auto') return inFp32(reason)
    throw new Error(`PRECISION=int8: ${reason}, which \`resnet-serve quantize\` writes`)
  }
  const checks = reference ?? (await askInFp32(graph, quantization, threads))
  const sessions = await openSessions(graph, threads, { quantization, forFewRuns })
  const answers = await sessions.all.run(checks.input, checks.count)
  const cosine = smallestCosine(answers[graph.outputs.embedding] as Float32Array, checks.embedding, checks.count)
  if (cosine >= MIN_COSINE) return asCompiled(graph, sessions, { precision: 'int8' })
  await release(sessions)
  const reason = `int8 differs too much from fp32 here: the embeddings' cosine is ${cosine.toFixed(4)}, must be at least ${MIN_COSINE}`
  if (precision === 'auto') return inFp32(reason)
  throw new Error(`PRECISION=int8: ${reason}`)
}

/** The reference of a model that has none, computed in fp32. Its session is released before the int8 one is opened. */
async function askInFp32(graph: Graph, quantization: Quantization, threads: Record<Threads, number>) {
  const { count, input } = probeInputs(graph.input, quantization)
  const session = await openSession(graph, { threads: threads.all })
  const answers = await session.run(input, count)
  await session.release()
  return { count, input, embedding: answers[graph.outputs.embedding] as Float32Array }
}

function asCompiled(
  { outputs }: Graph,
  sessions: Sessions,
  precision: Pick<CompiledGraph, 'precision' | 'precisionReason'>,
): CompiledGraph {
  return {
    ...precision,
    async run({ input, batchSize, threads = 'all' }): Promise<Outputs> {
      const answers = await sessions[threads].run(input, batchSize)
      return {
        logits: outputs.logits === undefined ? new Float32Array() : (answers[outputs.logits] as Float32Array),
        embedding: answers[outputs.embedding] as Float32Array,
      }
    },
    dispose: () => release(sessions),
  }
}

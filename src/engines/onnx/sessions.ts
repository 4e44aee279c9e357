import { createRequire } from 'node:module'
import type { Quantization } from '../../repository/quantization.ts'
import type { Graph } from '../../resnet/graph.ts'
import type { Share, Threads } from '../engine.ts'
import { type EmitOptions, emitOnnx } from './emitter.ts'

/**
 * Turns off onnxruntime's telemetry, which writes usage data to a file. The library reads this variable at load, so it is
 * required after that, and not imported.
 */
process.env.ORT_DISABLE_TELEMETRY = '1'
const ort = createRequire(import.meta.url)('onnxruntime-node') as typeof import('onnxruntime-node')

/**
 * How long an idle thread spins before it sleeps. Long enough for the pause between two operators. With the longer default,
 * threads also spin between batches, on cores that HTTP and decoding need (docs/quantization.md).
 */
const SPIN_US = '50'

interface SessionOptions extends EmitOptions {
  threads: number
}

/** A graph loaded into onnxruntime. */
export interface OnnxSession {
  /** `input` is `[batchSize, C, H, W]`. Resolves with the outputs by name, `EmitOptions.also` included. */
  run(input: Float32Array, batchSize: number): Promise<Record<string, Float32Array>>
  release(): Promise<void>
}

export function openSession(graph: Graph, { threads, ...emit }: SessionOptions): Promise<OnnxSession> {
  return openModel(emitOnnx(graph, emit), graph.input, threads)
}

/** Loads an ONNX file that has this input. */
export async function openModel(
  onnx: Uint8Array,
  { name, shape }: Graph['input'],
  threads: number,
): Promise<OnnxSession> {
  const session = await ort.InferenceSession.create(onnx, {
    executionProviders: ['cpu'],
    graphOptimizationLevel: 'all',
    executionMode: 'sequential',
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    // It would keep a block of memory for each batch size seen.
    enableMemPattern: false,
    extra: { session: { intra_op: { spin_duration_us: SPIN_US } } },
  })
  return {
    async run(input, batchSize) {
      const answers = await session.run({ [name]: new ort.Tensor('float32', input, [batchSize, ...shape]) })
      return Object.fromEntries(Object.entries(answers).map(([output, { data }]) => [output, data as Float32Array]))
    },
    release: () => session.release(),
  }
}

/** One session, with its own weights, for each number of threads: a session cannot change its threads. */
export type Sessions = Record<Threads, OnnxSession>

/**
 * The threads of one process, at least one. Only the first process can take all of them for a batch: while no other batch
 * is computed, batches go there, so the others need no second set of weights.
 */
export function dealThreads(
  threads: number,
  { index, count }: Share = { index: 0, count: 1 },
): Record<Threads, number> {
  const share = Math.max(1, Math.floor(threads / count) + (index < threads % count ? 1 : 0))
  return { share, all: index === 0 ? threads : share }
}

/** `all` and `share` are the same session if they have the same number of threads. */
export async function openSessions(
  graph: Graph,
  threads: Record<Threads, number>,
  quantization?: Quantization,
): Promise<Sessions> {
  const share = await openSession(graph, { threads: threads.share, quantization })
  if (threads.all === threads.share) return { share, all: share }
  return { share, all: await openSession(graph, { threads: threads.all, quantization }) }
}

export async function release(sessions: Sessions): Promise<void> {
  for (const session of new Set(Object.values(sessions))) await session.release()
}

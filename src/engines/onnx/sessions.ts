import type { Quantization } from '../../repository/quantization.ts'
import type { Graph } from '../../resnet/graph.ts'
import type { Share, Threads } from '../engine.ts'
import { type EmitOptions, emitOnnx } from './emitter.ts'

/**
 * onnxruntime's builds keep count of what they are used for, in a file beside the server or in /tmp, to be sent to their
 * maker. The library reads this variable when it starts, hence its import comes after.
 */
process.env.ORT_DISABLE_TELEMETRY = '1'
const { default: ort } = await import('onnxruntime-node')

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

/** One session for each number of threads, with weights of its own, since a session cannot change its threads. */
export type Sessions = Record<Threads, OnnxSession>

/**
 * Deals out `threads`, at least one to each process. Only the first process takes all of them when its batch is alone: a
 * batch that is alone goes there, and the second set of weights would be of no use in the others.
 */
export function dealThreads(
  threads: number,
  { index, count }: Share = { index: 0, count: 1 },
): Record<Threads, number> {
  const share = Math.max(1, Math.floor(threads / count) + (index < threads % count ? 1 : 0))
  return { share, all: index === 0 ? threads : share }
}

/** `all` and `share` are one session where the threads are as many. */
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

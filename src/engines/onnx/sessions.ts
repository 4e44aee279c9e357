import { createRequire } from 'node:module'
import type { Graph } from '../../resnet/graph.ts'
import type { Share, Threads } from '../engine.ts'
import { buildOnnx, type EmitOptions } from './emitter.ts'
import { encodeOnnx, type OnnxModel } from './schema.ts'

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

/**
 * Winograd's convolutions pay where onnxruntime has its blocked layout, and on one thread: each is some 50 operators, and at the
 * end of every operator several threads wait for the slowest (bench/winograd.ts).
 */
const suitWinograd = (threads: number): boolean => threads === 1 && process.arch === 'x64'

interface SessionOptions extends Omit<EmitOptions, 'winograd'> {
  threads: number
  /** For a few runs: the weights are not laid out anew for speed, which takes memory and time. */
  forFewRuns?: boolean | undefined
}

/** A graph loaded into onnxruntime. */
export interface OnnxSession {
  /** `input` is `[batchSize, C, H, W]`. Resolves with the outputs by name, `EmitOptions.also` included. */
  run(input: Float32Array, batchSize: number): Promise<Record<string, Float32Array>>
  release(): Promise<void>
}

export function openSession(graph: Graph, { threads, forFewRuns, ...emit }: SessionOptions): Promise<OnnxSession> {
  const winograd = suitWinograd(threads) && !forFewRuns
  return openModel(buildOnnx(graph, { ...emit, winograd }), { threads, forFewRuns })
}

/** A model with one input. */
export async function openModel(
  model: OnnxModel,
  { threads, forFewRuns = false }: Pick<SessionOptions, 'threads' | 'forFewRuns'>,
): Promise<OnnxSession> {
  const [{ name, shape }] = model.inputs as [OnnxModel['inputs'][number]]
  const { file, externalData } = encodeOnnx(model)
  const session = await ort.InferenceSession.create(file, {
    executionProviders: ['cpu'],
    graphOptimizationLevel: forFewRuns ? 'extended' : 'all',
    executionMode: 'sequential',
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    // It would keep a block of memory for each batch size seen.
    enableMemPattern: false,
    externalData,
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
  options: Omit<SessionOptions, 'threads'> = {},
): Promise<Sessions> {
  const share = await openSession(graph, { threads: threads.share, ...options })
  if (threads.all === threads.share) return { share, all: share }
  return { share, all: await openSession(graph, { threads: threads.all, ...options }) }
}

export async function release(sessions: Sessions): Promise<void> {
  for (const session of new Set(Object.values(sessions))) await session.release()
}

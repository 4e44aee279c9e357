import type { Graph } from '../graph.ts'
import type { Quantization } from '../quantization/quantization.ts'
import type { Share } from './engine.ts'
import { type OnnxSession, openSession } from './onnx-session.ts'

/** Threads for a batch that is computed beside other processes' batches, and for one that is alone. */
export interface SessionThreads {
  shared: number
  alone: number
}

/** A session cannot change its threads, so there is one for each number of them, with weights of its own. */
export interface Sessions {
  shared: OnnxSession
  /** The same as `shared` where the process has no more threads when it is alone. */
  alone: OnnxSession
}

/**
 * Deals out `threads`, at least one to each process. Only the first process takes all of them when its batch is alone: a
 * batch that is alone goes there, and the second set of weights would be of no use in the others.
 */
export function sharedThreads(threads: number, { index, count }: Share = { index: 0, count: 1 }): SessionThreads {
  const shared = Math.max(1, Math.floor(threads / count) + (index < threads % count ? 1 : 0))
  return { shared, alone: index === 0 ? threads : shared }
}

export async function openSessions(
  graph: Graph,
  threads: SessionThreads,
  quantization?: Quantization,
): Promise<Sessions> {
  const shared = await openSession(graph, { threads: threads.shared, quantization })
  if (threads.alone === threads.shared) return { shared, alone: shared }
  return { shared, alone: await openSession(graph, { threads: threads.alone, quantization }) }
}

export async function release({ shared, alone }: Sessions): Promise<void> {
  await shared.release()
  if (alone !== shared) await alone.release()
}

import type { Graph } from '../graph.ts'
import type { Quantization } from '../quantization/quantization.ts'
import type { Share, Threads } from './engine.ts'
import { type OnnxSession, openSession } from './onnx-session.ts'

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

import type { Serving } from './serving.ts'

export interface ShutdownOptions {
  drainDelayMs: number
  timeoutMs: number
}

/** How often connections that have become idle are closed, while those in use finish. */
const IDLE_SWEEP_MS = 100

/**
 * The end in its order: not ready; still serving, so that balancers notice; no new connections; what is in flight; the
 * queue; the engine. Returns false when that took longer than `timeoutMs` and was cut short.
 */
export async function shutDown(serving: Serving, { drainDelayMs, timeoutMs }: ShutdownOptions): Promise<boolean> {
  serving.beginDraining()
  await sleep(drainDelayMs)
  // A connection that was busy when the server closed stays open after its answer; nothing more is coming on it.
  const sweep = setInterval(() => serving.app.server.closeIdleConnections(), IDLE_SWEEP_MS)
  const finished = await Promise.race([serving.stop().then(() => true), sleep(timeoutMs).then(() => false)])
  clearInterval(sweep)
  return finished
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms).unref())
}

import type { Serving } from './serving.ts'

interface ShutdownOptions {
  drainDelayMs: number
  timeoutMs: number
}

/** The least delay (ms): connections that the kernel has accepted must still be read. */
const MIN_DRAIN_MS = 100
/** How often (ms) unused connections are closed. */
const SWEEP_MS = 100

/**
 * Ends the server in order: not ready, but still serving until balancers notice; no new connections; requests in
 * flight; the queue; the engine. A server that was never ready skips the delay. Returns false if `timeoutMs` cut it
 * short.
 */
export async function shutDown(serving: Serving, { drainDelayMs, timeoutMs }: ShutdownOptions): Promise<boolean> {
  const wasServing = serving.beginDraining()
  if (wasServing) await sleep(Math.max(drainDelayMs, MIN_DRAIN_MS))
  const sweep = setInterval(() => serving.connections.closeUnused(), SWEEP_MS)
  const finished = await Promise.race([serving.stop().then(() => true), sleep(timeoutMs).then(() => false)])
  clearInterval(sweep)
  return finished
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms).unref())
}

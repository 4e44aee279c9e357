import type { Serving } from './serving.ts'

interface ShutdownOptions {
  drainDelayMs: number
  timeoutMs: number
}

/** Even without a delay: what the kernel has accepted for this server needs a moment to be read by it. */
const MIN_DRAIN_MS = 100
/** How often connections are looked through for those that nobody needs any more. */
const SWEEP_MS = 100

/**
 * The end in its order: not ready; still serving, so that balancers notice; no new connections; what is in flight; the
 * queue; the engine. A server that never was ready has no balancer to tell. Returns false when that took longer than
 * `timeoutMs` and was cut short.
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

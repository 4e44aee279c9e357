import { onTestFinished, vi } from 'vitest'

/** The engine process that the tests of its parents run. */
export const DOUBLE = new URL('./engine-double.mjs', import.meta.url)

/** Whether a child of this process still lives. */
export function isAlive(pid: number | undefined): boolean {
  try {
    return pid !== undefined && process.kill(pid, 0)
  } catch {
    return false
  }
}

/** Waits for what another process brings about. The limit is for a machine with no time for us. */
export async function eventually(assertion: () => void): Promise<void> {
  await vi.waitFor(assertion, { timeout: 30_000, interval: 10 })
}

/** Ends it after the test, however the test went. */
export function stopAfterTest<T extends { stop(): Promise<void> }>(running: T): T {
  onTestFinished(() => running.stop())
  return running
}

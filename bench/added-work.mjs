/**
 * Makes every node process that preloads it use more CPU time: `NODE_OPTIONS=--import=./bench/added-work.mjs`. It shows how
 * small a difference the bench can see. The share that is added to what the process uses by itself, native threads
 * included, is in the address, since engine processes see few variables: `added-work.mjs?share=0.1`.
 */
import { readFileSync } from 'node:fs'

const SHARE = Number(new URL(import.meta.url).searchParams.get('share') ?? 0.05)
const INTERVAL_MS = 20
const nothing = new Int32Array(new SharedArrayBuffer(4))

let addedMs = 0

/** Of all threads. */
function processMs() {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}

/** Of this thread. The kernel brings its figure up to date when the thread gives up its core, so it does for a moment. */
function threadMs() {
  Atomics.wait(nothing, 0, 0, 0.01)
  return Number.parseInt(readFileSync('/proc/thread-self/schedstat', 'utf8'), 10) / 1e6
}

setInterval(() => {
  const dueMs = SHARE * (processMs() - addedMs) - addedMs
  if (dueMs < 0.1) return
  const before = threadMs()
  const untilMs = performance.now() + dueMs
  while (performance.now() < untilMs);
  // Less than was due if another thread had the core meanwhile: the rest is due next time.
  addedMs += threadMs() - before
}, INTERVAL_MS).unref()

import { SingleBar } from 'cli-progress'

/** A bar on stderr, and only where that is a terminal: pictures done, pictures per second, time left. */
export function startProgress(done: number, total: number): { add(): void; stop(): void } {
  if (process.stderr.isTTY !== true) return { add: () => {}, stop: () => {} }
  const startedAt = performance.now()
  const bar = new SingleBar({ format: '{bar} {value}/{total}  {rate}/s  {eta_formatted} left', etaBuffer: 1000 })
  let count = 0
  bar.start(total, done, { rate: '-' })
  return {
    add() {
      count++
      bar.update(done + count, { rate: ((1000 * count) / (performance.now() - startedAt)).toFixed(0) })
    },
    stop: () => bar.stop(),
  }
}

import { Presets, SingleBar } from 'cli-progress'

/** Reports the progress of an install. */
export interface Progress {
  /** One line per step. */
  step(text: string): void
  /** A bar over `total` bytes; `add` counts those that are done. */
  bytes(label: string, total: number): { add(count: number): void; end(): void }
  /** Whether programs may draw their own progress. */
  readonly interactive: boolean
}

/** Lines and bars on stderr; stdout is for the result. Without a terminal there are lines only. */
export function terminalProgress(): Progress {
  const interactive = process.stderr.isTTY === true && process.stdout.isTTY === true
  return {
    interactive,
    step: (text) => void process.stderr.write(`${text}\n`),
    bytes(label, total) {
      const bar = new SingleBar(
        {
          format: `  ${label} {bar} {percentage}% of ${Math.round(total / 2 ** 20)} MiB`,
          clearOnComplete: true,
          fps: 5,
        },
        Presets.rect,
      )
      if (interactive) bar.start(total, 0)
      return { add: (count) => bar.increment(count), end: () => bar.stop() }
    },
  }
}

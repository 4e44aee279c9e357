/** Statistics of one quantity over several windows. */
export interface Series {
  median: number
  min: number
  max: number
  /** One per window, in the order measured. */
  values: number[]
}

export function series(values: number[]): Series {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length / 2
  const median = ((sorted[Math.ceil(middle) - 1] ?? Number.NaN) + (sorted[Math.floor(middle)] ?? Number.NaN)) / 2
  return { median, min: sorted[0] ?? Number.NaN, max: sorted.at(-1) ?? Number.NaN, values }
}

/** How one thing compares with another that was measured in turns with it. */
export interface PairedRatio {
  /** Of the ratios of the rounds. */
  median: number
  lower: number
  upper: number
  /**
   * An interval that holds the true median in 95 of 100 runs, however the ratios are distributed. More rounds narrow it,
   * which they do not do to the quartiles; NaN where there are too few.
   */
  low: number
  high: number
}

/**
 * Both lists have one value per round. The ratio is taken within each round, whose turns follow each other: what changes
 * the speed of the machine from round to round cancels.
 */
export function pairedRatio(values: number[], base: number[]): PairedRatio {
  const sorted = values.map((value, i) => value / (base[i] ?? Number.NaN)).sort((a, b) => a - b)
  // Each ratio is above the median as often as a coin shows heads: the count of those below has a deviation of sqrt(n) / 2.
  const rank = Math.floor((sorted.length - 1.96 * Math.sqrt(sorted.length)) / 2)
  return {
    median: series(sorted).median,
    lower: percentile(sorted, 0.25),
    upper: percentile(sorted, 0.75),
    low: sorted[rank] ?? Number.NaN,
    high: sorted[sorted.length - 1 - rank] ?? Number.NaN,
  }
}

/** The smallest value that at least the share `p` of `sorted` does not exceed; NaN for an empty list. */
export function percentile(sorted: number[], p: number): number {
  return sorted[Math.max(0, Math.ceil(p * sorted.length) - 1)] ?? Number.NaN
}

export interface Answer {
  /** Milliseconds since the load began. */
  atMs: number
  latencyMs: number
}

export interface Window {
  answersPerS: number
  p50Ms: number
  p99Ms: number
}

/**
 * Rate and latency of the answers, ascending in time, after `fromMs` and up to `toMs`. A batch is answered in one
 * burst, and a burst just inside or outside the window would change the rate by a whole batch. So time runs from the
 * last answer before the window to the last one in it.
 */
export function windowOf(answers: Answer[], fromMs: number, toMs: number): Window {
  const before = answers.findLastIndex(({ atMs }) => atMs <= fromMs)
  const last = answers.findLastIndex(({ atMs }) => atMs <= toMs)
  const counted = answers.slice(before + 1, last + 1)
  const elapsedMs = (counted.at(-1)?.atMs ?? toMs) - (answers[before]?.atMs ?? fromMs)
  const latencies = counted.map(({ latencyMs }) => latencyMs).sort((a, b) => a - b)
  return {
    answersPerS: (counted.length * 1000) / elapsedMs,
    p50Ms: percentile(latencies, 0.5),
    p99Ms: percentile(latencies, 0.99),
  }
}

/**
 * The same for an open loop: the answers to requests due after `fromMs` and up to `toMs`, whenever they came. No slow
 * answer is lost at the window's end, and only unanswered requests lower the rate.
 */
export function dueWindowOf(answers: Answer[], fromMs: number, toMs: number): Window {
  const counted = answers.filter(({ atMs, latencyMs }) => atMs - latencyMs > fromMs && atMs - latencyMs <= toMs)
  const latencies = counted.map(({ latencyMs }) => latencyMs).sort((a, b) => a - b)
  return {
    answersPerS: (counted.length * 1000) / (toMs - fromMs),
    p50Ms: percentile(latencies, 0.5),
    p99Ms: percentile(latencies, 0.99),
  }
}

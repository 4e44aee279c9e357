import { figure, textTable } from '../table.ts'
import type { Outcome } from './simulate.ts'

export interface Row {
  replicas: number
  /** Share of what so many replicas can answer in full batches. */
  load: number
  ratePerS: number
  outcome: Outcome
}

export function report(rows: Row[]): string {
  const head = [
    'replicas',
    'load',
    'requests/s',
    'p50 ms',
    'p99 ms',
    'wait ms',
    'in time/s',
    'failed %',
    'mean batch',
    'threads %',
  ]
  const lines = rows.map(({ replicas, load, ratePerS, outcome }) => {
    const { p50Ms, p99Ms, waitMs, goodputPerS, answered, failed, meanBatchSize, utilisation } = outcome
    const percent = [failed / (answered + failed), utilisation].map((share) => (100 * share).toFixed(0))
    return [
      `${replicas}`,
      load.toFixed(2),
      ...[ratePerS, p50Ms, p99Ms, waitMs, goodputPerS].map(figure),
      percent[0] as string,
      figure(meanBatchSize),
      percent[1] as string,
    ]
  })
  return textTable([head, ...lines])
}

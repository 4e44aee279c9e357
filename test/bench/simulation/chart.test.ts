import { describe, expect, it } from 'vitest'
import { chart } from '../../../bench/simulation/chart.ts'
import { type Row, report } from '../../../bench/simulation/report.ts'

const row = (replicas: number, load: number, changes: Partial<Row['outcome']> = {}): Row => ({
  replicas,
  load,
  ratePerS: 100 * load * replicas,
  outcome: {
    meanMs: 10,
    p50Ms: 10 * load,
    p99Ms: 1000 * load,
    waitMs: 5,
    goodputPerS: 99 * load * replicas,
    answered: 90,
    failed: 10,
    meanBatchSize: 2,
    utilisation: 0.5,
    ...changes,
  },
})
const ROWS = [1, 2].flatMap((replicas) => [0.3, 0.6, 0.9].map((load) => row(replicas, load)))

describe('the chart', () => {
  it('has three curves for each number of replicas, and names it', () => {
    const svg = chart(ROWS)
    expect(svg.match(/<path d="M[\d.,]+L[^"]+" stroke="#\w+" stroke-width="2"/g)).toHaveLength(6)
    expect(svg).toContain('>1 replica<')
    expect(svg).toContain('>2 replicas<')
    expect(svg).not.toMatch(/NaN|undefined|Infinity/)
  })

  it('leaves a gap where nothing was answered', () => {
    const none = { p50Ms: Number.NaN, p99Ms: Number.NaN, goodputPerS: 0 }
    expect(chart([...ROWS, row(2, 1.5, none)])).not.toMatch(/NaN|Infinity/)
  })
})

it('the table has a line for each scenario', () => {
  const lines = report(ROWS).split('\n')
  expect(lines).toHaveLength(7)
  expect(lines[1]?.trim().split(/\s+/)).toEqual([
    '1',
    '0.30',
    '30.0',
    '3.00',
    '300.0',
    '5.00',
    '29.7',
    '10',
    '2.00',
    '50',
  ])
})

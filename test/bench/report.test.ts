import { describe, expect, it } from 'vitest'
import { report } from '../../bench/report.ts'
import { bestRaw } from '../../bench/results.ts'
import { series } from '../../bench/statistics.ts'
import { figure, markdownTable, textTable } from '../../bench/table.ts'
import { httpResult, resultsOf } from './results.ts'

describe('the tables', () => {
  it('line up: the first column to the left, the others to the right', () => {
    expect(
      textTable([
        ['name', 'x'],
        ['a', '10.5'],
      ]),
    ).toBe('name     x\na     10.5')
  })

  it('are Markdown with a rule under the head', () => {
    expect(
      markdownTable([
        ['name', 'x'],
        ['a', '1'],
      ]),
    ).toBe('| name | x |\n| --- | ---: |\n| a | 1 |')
  })

  it('show three or four digits, and a dash for what was not measured', () => {
    expect([0.123, 12.34, 123.4, 1234.5, Number.NaN].map(figure)).toEqual(['0.12', '12.3', '123.4', '1235', '-'])
  })
})

describe('the report', () => {
  it('holds HTTP to the raw engine in the precision that is served', () => {
    expect(bestRaw(resultsOf())).toMatchObject({ precision: 'int8', batchSize: 32 })
    expect(report(resultsOf())).toMatch(/raw tensor, 32 clients +0\.762/)
    expect(report(resultsOf({ precision: 'fp32' }))).toMatch(/raw tensor, 32 clients +2\.542/)
  })

  it('says what int8 gains over fp32 at each batch size', () => {
    expect(report(resultsOf())).toMatch(/int8, batch 1 +2\.353\nint8, batch 32 +3\.333/)
  })

  it('says how much longer one client waits than the raw engine takes for one input', () => {
    const one = httpResult({ clients: 1, answersPerS: series([250]), p50Ms: series([4]) })
    expect(report(resultsOf({ closed: [one] }))).toMatch(/raw tensor, 1 client +0\.313 +0\.625 +1\.50/)
  })

  it('holds pictures under the null engine to what sharp alone decodes', () => {
    expect(report(resultsOf())).toMatch(/PNG +2000 +2000 - 2000 +0\.800/)
  })

  it('leaves out what was not measured', () => {
    const text = report(resultsOf({ raw: [], closed: [], open: [], null: [], decode: [] }))
    expect(text).not.toMatch(/HTTP|raw engine|sharp/)
  })

  it('says why a precision was not measured', () => {
    const notMeasured = [{ precision: 'int8' as const, reason: 'no VNNI' }]
    expect(report(resultsOf({ notMeasured }))).toContain('int8: no VNNI')
  })

  it('shows errors beside the answers', () => {
    const failed = httpResult({ errors: { 'status 503': 7, ECONNRESET: 1 } })
    expect(report(resultsOf({ closed: [failed] }))).toMatch(/1830 +8 /)
  })
})

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { type Change, compare, compareFiles } from '../../bench/compare.ts'
import { series } from '../../bench/statistics.ts'
import { httpResult, resultsOf } from './results.ts'

const name = 'raw tensor, 32 clients'

function changeOf(quantity: string, before: number[], after: number[]): Change | undefined {
  const key = quantity === 'answers/s' ? 'answersPerS' : 'p50Ms'
  const run = (values: number[]) => resultsOf({ closed: [httpResult({ [key]: series(values) })] })
  return compare(run(before), run(after)).find((change) => change.before.name === `${name}, ${quantity}`)
}

describe('compare', () => {
  it('finds no change between a run and itself', () => {
    const changes = compare(resultsOf(), resultsOf())
    expect(changes.length).toBeGreaterThan(10)
    expect(changes.filter(({ verdict }) => verdict !== 'same')).toEqual([])
  })

  it('calls more throughput better and more latency worse', () => {
    expect(changeOf('answers/s', [100, 101, 102], [120, 121, 122])).toMatchObject({ verdict: 'better' })
    expect(changeOf('p50 ms', [100, 101, 102], [120, 121, 122])).toMatchObject({ verdict: 'worse' })
  })

  it('calls runs whose windows overlap the same, however far apart their medians are', () => {
    expect(changeOf('answers/s', [100, 101, 130], [120, 121, 122])?.verdict).toBe('same')
  })

  it('calls a change of two in a hundred noise', () => {
    expect(changeOf('answers/s', [1000, 1000, 1001], [1015, 1016, 1017])?.verdict).toBe('same')
  })

  it('passes over what only one run measured', () => {
    const changes = compare(resultsOf(), resultsOf({ null: [], raw: [] }))
    expect(changes.some(({ before }) => before.name.startsWith('null engine'))).toBe(false)
    expect(changes.some(({ before }) => before.name === `${name}, answers/s`)).toBe(true)
  })

  it('names no quantity twice', () => {
    const names = compare(resultsOf(), resultsOf()).map(({ before }) => before.name)
    expect(new Set(names).size).toBe(names.length)
  })
})

describe('compareFiles', () => {
  const folder = mkdtempSync(join(tmpdir(), 'bench-'))
  afterAll(() => rmSync(folder, { recursive: true }))
  const write = (file: string, results: object): string => {
    const path = join(folder, file)
    writeFileSync(path, JSON.stringify(results))
    return path
  }

  it('says what differs between the runs beside what they measured', () => {
    const before = write('a.json', resultsOf())
    const after = write(
      'b.json',
      resultsOf({ precision: 'fp32', closed: [httpResult({ answersPerS: series([200]) })] }),
    )
    const text = compareFiles(before, after)
    expect(text).toMatch(/note: engine differs: "onnx 1 in int8" and "onnx 1 in fp32"/)
    expect(text).toMatch(/raw tensor, 32 clients, answers\/s +610\.0 +200\.0 +-67\.2 % +WORSE/)
  })

  it('refuses a file of another format, by name', () => {
    const file = write('old.json', { ...resultsOf(), format: 1 })
    expect(() => compareFiles(file, file)).toThrow(`${file}: format 1`)
  })
})

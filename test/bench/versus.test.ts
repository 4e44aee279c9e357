import { resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import { orderOf, type Turns } from '../../bench/turns.ts'
import { parseVersus } from '../../bench/versus/options.ts'
import { versusReport } from '../../bench/versus/report.ts'
import { parseSide } from '../../bench/versus/sides.ts'

describe('a side', () => {
  it('is a folder, settings, or both', () => {
    const here = resolve(import.meta.dirname, '../..')
    expect(parseSide('../main')).toEqual({ name: '../main', checkout: resolve('../main'), settings: {} })
    expect(parseSide('PRECISION=fp32 NODE_OPTIONS=--import=./a.mjs')).toMatchObject({
      checkout: here,
      settings: { PRECISION: 'fp32', NODE_OPTIONS: '--import=./a.mjs' },
    })
    expect(parseSide('/b/main CACHE_MB=0')).toMatchObject({ checkout: '/b/main', settings: { CACHE_MB: '0' } })
    expect(() => parseSide('/a /b')).toThrow('/b')
  })

  it('is one of at least two', () => {
    expect(() => parseVersus(['.'])).toThrow('at least two')
    expect(() => parseVersus(['.', '.', '--inputs', 'gif'])).toThrow('--inputs gif')
    expect(parseVersus(['.', 'A=1', '--rounds', '7'])?.timing).toEqual({
      rounds: 7,
      leadS: 0.3,
      windowS: 1,
      settleS: 60,
    })
    expect(parseVersus(['--help'])).toBeUndefined()
  })
})

describe('the order of turns', () => {
  it('has each contender once in a round, and is mirrored in every other', () => {
    expect([0, 1, 2, 3].map((round) => orderOf(round, 2).join(''))).toEqual(['01', '10', '10', '01'])
    expect([0, 1, 2, 3].map((round) => orderOf(round, 3).join(''))).toEqual(['012', '210', '120', '021'])
  })

  it('gives each the same mean place, so that a steady drift favours none', () => {
    const rounds = Array.from({ length: 6 }, (_, round) => orderOf(round, 3))
    for (const contender of [0, 1, 2]) {
      expect(rounds.reduce((sum, order) => sum + order.indexOf(contender), 0)).toBe(6)
    }
  })
})

describe('the report of two sides', () => {
  /** On a machine whose speed swings by half. */
  function sideOf(name: string, cost: number): Turns & { name: string } {
    const turns = Array.from({ length: 30 }, (_, round) => ({
      window: { answersPerS: (1000 / cost) * (1 + Math.sin(round) / 2), p50Ms: 30, p99Ms: 60 },
      cpuMs: { http: 0.2 * cost, engine: 1.6 * cost },
      answered: 1000,
      errors: {},
      generatorUs: 10,
    }))
    return { name, settledS: 7, warmUp: [], turns }
  }

  it('shows 5 % more work, and none where there is none', () => {
    const text = versusReport('tensor', [sideOf('a', 1), sideOf('a again', 1), sideOf('b', 1.05)])
    const [same = '', more = ''] = text.split('\n\n')
    expect(same).toMatch(/answers\/s .* 1\.000 +1\.000 - 1\.000 +1\.000 - 1\.000\n/)
    expect(same).not.toContain('differs')
    expect(more).toMatch(/answers\/s .* 0\.952 .* differs\n/)
    expect(more).toMatch(/CPU ms per answer +1\.80 +1\.89 +1\.050 .* differs\n/)
    expect(more).toMatch(/p50 ms +30\.0 +30\.0 +1\.000/)
  })
})

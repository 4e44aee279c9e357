import { describe, expect, it } from 'vitest'
import { settled, warmUp } from '../../bench/warm-up.ts'

const MANY = 1_000_000
const windows = (http: number[], engine = 2) => http.map((ms) => ({ http: ms, engine }))

describe('settled', () => {
  it('is the CPU time that no longer falls', () => {
    expect(settled(windows([9, 8, 7, 6, 5, 4]), MANY)).toBe(false)
    expect(settled(windows([9, 8, 4, 4.1, 3.9, 4, 4, 4]), MANY)).toBe(true)
  })

  it('takes a rise, and one window that stands out, for noise', () => {
    expect(settled(windows([4, 4, 4, 5, 5, 5]), MANY)).toBe(true)
    expect(settled(windows([4, 9, 4, 4, 4, 4]), MANY)).toBe(true)
  })

  it('sees HTTP fall beside an engine that takes a hundred times as long', () => {
    expect(settled(windows([0.9, 0.9, 0.9, 0.4, 0.4, 0.4], 90), MANY)).toBe(false)
  })

  it('needs enough windows, and enough answers for what is compiled late', () => {
    expect(settled(windows([4, 4, 4, 4, 4]), MANY)).toBe(false)
    expect(settled(windows([4, 4, 4, 4, 4, 4]), 1000)).toBe(false)
  })

  it('is not waited for where CPU times are unknown', () => {
    expect(settled(windows(Array.from({ length: 6 }, () => Number.NaN)), MANY)).toBe(true)
  })
})

describe('the warm-up', () => {
  /** Windows of one second by a clock of their own. */
  function serverOf(cpuMs: (window: number) => number) {
    let at = 0
    const window = async () => ({ cpuMs: { http: cpuMs(at++), engine: 1 }, answeredByServer: 1000 * at })
    return { window, now: () => at }
  }

  it('ends when the windows have settled, and says how long that took', async () => {
    const { window, now } = serverOf((i) => Math.max(1, 8 - i))
    expect(await warmUp(window, 60, now)).toBe(12)
  })

  it('ends at its limit on a server that never settles, after one window at least', async () => {
    const falling = serverOf((i) => 0.8 ** i)
    expect(await warmUp(falling.window, 20, falling.now)).toBe(20)
    const quick = serverOf(() => 1)
    expect(await warmUp(quick.window, 0.5, quick.now)).toBe(1)
  })
})

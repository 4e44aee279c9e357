import { describe, expect, it } from 'vitest'
import { type Answer, dueWindowOf, pairedRatio, percentile, series, windowOf } from '../../bench/statistics.ts'

describe('series', () => {
  it('takes the middle value of an odd count and the mean of the middle two of an even one', () => {
    expect(series([5, 1, 3]).median).toBe(3)
    expect(series([4, 1, 3, 2]).median).toBe(2.5)
  })

  it('keeps the values in the order measured and says their range', () => {
    expect(series([5, 1, 3])).toMatchObject({ min: 1, max: 5, values: [5, 1, 3] })
  })

  it('says NaN of nothing, so that no report shows a figure that was not measured', () => {
    expect(series([]).median).toBeNaN()
  })
})

describe('percentile', () => {
  it('is a value that was measured, not one between two', () => {
    const values = [10, 20, 30, 40]
    expect([0.25, 0.5, 0.51, 0.99].map((p) => percentile(values, p))).toEqual([10, 20, 30, 40])
  })

  it('is the one value there is', () => {
    expect(percentile([7], 0.5)).toBe(7)
    expect(percentile([], 0.5)).toBeNaN()
  })
})

describe('pairedRatio', () => {
  // Speeds of a machine that swings by half, and what is left of noise within a round.
  const speeds = Array.from({ length: 40 }, (_, round) => 1 + Math.sin(round) / 2)
  const noisy = (round: number): number => 1 + 0.02 * Math.cos(7 * round)
  const base = speeds.map((speed) => 1000 * speed)

  it('shows 5 % on a machine that swings by 50 %', () => {
    const { median, upper, high } = pairedRatio(
      base.map((rate, round) => 0.95 * rate * noisy(round)),
      base,
    )
    expect(median).toBeCloseTo(0.95, 2)
    expect(upper).toBeLessThan(0.97)
    expect(high).toBeLessThan(0.97)
  })

  it('shows none where there is none', () => {
    const { low, high, lower, upper } = pairedRatio(
      base.map((rate, round) => rate * noisy(round)),
      base,
    )
    for (const below of [low, lower]) expect(below).toBeLessThan(1)
    for (const above of [high, upper]) expect(above).toBeGreaterThan(1)
    expect(upper - lower).toBeLessThan(0.05)
  })

  it('narrows its interval with more rounds, and gives none for a few', () => {
    const widthOf = (rounds: number): number => {
      const values = Array.from({ length: rounds }, (_, i) => 100 + ((i * 37) % 101))
      const { low, high } = pairedRatio(
        values,
        values.map(() => 150),
      )
      return high - low
    }
    expect(widthOf(400)).toBeLessThan(widthOf(40) / 2)
    expect(widthOf(3)).toBeNaN()
  })
})

describe('windowOf (closed loop)', () => {
  const bursts: Answer[] = [100, 100, 200, 200, 300, 300].map((atMs, i) => ({ atMs, latencyMs: i + 1 }))

  it('counts from the last answer before the window to the last one in it, so that bursts at its ends do not matter', () => {
    // Two answers each 100 ms, wherever the window's ends fall between the bursts.
    for (const [from, to] of [
      [100, 300],
      [110, 310],
      [190, 390],
    ] as const) {
      expect(windowOf(bursts, from, to).answersPerS).toBeCloseTo(20)
    }
  })

  it('takes the latencies of the answers in the window alone', () => {
    const { p50Ms, p99Ms } = windowOf(bursts, 100, 300)
    expect([p50Ms, p99Ms]).toEqual([4, 6])
  })
})

describe('dueWindowOf (open loop)', () => {
  it('counts an answer in the window in which its request was due, however late it came', () => {
    const answers: Answer[] = [
      { atMs: 20, latencyMs: 10 },
      { atMs: 5000, latencyMs: 4950 },
      { atMs: 130, latencyMs: 10 },
    ]
    const window = dueWindowOf(answers, 0, 100)
    expect(window.answersPerS).toBe(20)
    expect(window.p99Ms).toBe(4950)
  })

  it('falls behind the rate asked for by what was never answered', () => {
    const answers: Answer[] = [10, 20, 30].map((due) => ({ atMs: due + 1, latencyMs: 1 }))
    expect(dueWindowOf(answers, 0, 100).answersPerS).toBe(30)
  })
})

import { describe, expect, it } from 'vitest'
import { seededRandom } from '../../bench/inputs.ts'
import { even, poisson, Schedule } from '../../bench/load/schedule.ts'
import type { Clock } from '../../src/batching/clock.ts'
import { FakeClock } from '../helpers/fake-clock.ts'

describe('Schedule', () => {
  it('brings requests due at a fixed rate, the first at once', async () => {
    const clock = new FakeClock()
    const due: number[] = []
    new Schedule(clock, even(100, 50), (at) => due.push(at))
    await clock.advance(1000)
    expect(due).toEqual([0, 10, 20, 30, 40])
  })

  it('does not drift: the thousandth is due where a thousand intervals end', async () => {
    const clock = new FakeClock()
    const due: number[] = []
    new Schedule(clock, even(300, 10_000), (at) => due.push(at))
    await clock.advance(10_000)
    expect(due).toHaveLength(3000)
    expect(due[1000]).toBeCloseTo(1_000_000 / 300, 6)
  })

  it('leaves none out when its timer fires late, and tells when each was due', async () => {
    const clock = new FakeClock()
    const late: Clock = { now: () => clock.now(), after: (ms, callback) => clock.after(ms + 35, callback) }
    const due: number[] = []
    new Schedule(late, even(100, 80), (at) => due.push(at))
    await clock.advance(200)
    expect(due).toEqual([0, 10, 20, 30, 40, 50, 60, 70])
  })

  it('is finished after the last, and leaves no timer behind', async () => {
    const clock = new FakeClock()
    const schedule = new Schedule(clock, even(100, 50), () => {})
    expect(schedule.finished).toBe(false)
    await clock.advance(40)
    expect(schedule.finished).toBe(true)
    expect(clock.pending).toBe(0)
  })

  it('brings nothing more once stopped', async () => {
    const clock = new FakeClock()
    const due: number[] = []
    const schedule = new Schedule(clock, even(100, 1000), (at) => due.push(at))
    await clock.advance(20)
    schedule.stop()
    await clock.advance(1000)
    expect(due).toEqual([0, 10, 20])
  })
})

describe('a Poisson process', () => {
  it('has exponential gaps of the mean that the rate says, and is the same again by its seed', () => {
    const arrivals = [...poisson(100, 1_000_000, seededRandom(1))]
    const gaps = arrivals.map((at, i) => at - (arrivals[i - 1] ?? 0))
    const mean = gaps.reduce((sum, gap) => sum + gap, 0) / gaps.length
    const deviation = Math.sqrt(gaps.reduce((sum, gap) => sum + (gap - mean) ** 2, 0) / gaps.length)
    // Of 100,000 gaps: the standard error of the mean is 0.3 %.
    expect(mean / 10).toBeCloseTo(1, 1)
    expect(deviation / mean).toBeCloseTo(1, 1)
    expect([...poisson(100, 1000, seededRandom(1))]).toEqual(arrivals.filter((at) => at < 1000))
  })
})

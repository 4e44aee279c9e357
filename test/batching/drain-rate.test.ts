import { describe, expect, it } from 'vitest'
import { DrainRate } from '../../src/batching/drain-rate.ts'

/** Ten items a second, in batches of ten. */
function measured(): DrainRate {
  const rate = new DrainRate()
  for (let start = 0; start < 20_000; start += 1000) rate.record(10, start, start + 1000)
  return rate
}

describe('DrainRate', () => {
  it('says one second while nothing has been measured', () => {
    expect(new DrainRate().secondsToDrain(1_000_000)).toBe(1)
  })

  it('divides what is queued by the measured rate', () => {
    expect(measured().secondsToDrain(50)).toBe(5)
  })

  it('rounds up to whole seconds', () => {
    expect(measured().secondsToDrain(51)).toBe(6)
  })

  it('never says less than one second, even of an empty queue', () => {
    expect(measured().secondsToDrain(0)).toBe(1)
  })

  it('never says more than sixty seconds', () => {
    expect(measured().secondsToDrain(1_000_000)).toBe(60)
  })

  it('follows a change of speed', () => {
    const rate = measured()
    for (let start = 20_000; start < 60_000; start += 2000) rate.record(10, start, start + 2000)
    expect(rate.secondsToDrain(50)).toBe(10)
  })

  it('is not thrown off by a single slow batch', () => {
    const rate = measured()
    rate.record(10, 20_000, 22_000)
    expect(rate.secondsToDrain(49)).toBe(6)
  })

  it('does not count the time in which the engine had nothing to do', () => {
    const rate = measured()
    rate.record(10, 900_000, 901_000)
    expect(rate.secondsToDrain(50)).toBe(5)
  })

  it('counts the common time of overlapping batches once', () => {
    const rate = new DrainRate()
    for (let start = 0; start < 20_000; start += 1000) {
      rate.record(10, start, start + 2000)
    }
    expect(rate.secondsToDrain(50)).toBe(6)
  })

  it('does not take batches that end together for infinitely fast ones', () => {
    const rate = new DrainRate()
    for (let start = 0; start < 20_000; start += 1000) {
      rate.record(10, start, start + 1000)
      rate.record(10, start, start + 1000)
    }
    expect(rate.secondsToDrain(50)).toBe(3)
  })
})

import { describe, expect, it } from 'vitest'
import { ServiceTime } from '../../src/batching/service-time.ts'

/** Batches of these sizes, over and over, each taking `fixed + perItem * size` ms. */
function measured(sizes: number[], fixed: number, perItem: number): ServiceTime {
  const time = new ServiceTime()
  for (let i = 0; i < 60; i++) {
    const size = sizes[i % sizes.length] as number
    time.record(size, fixed + perItem * size)
  }
  return time
}

describe('ServiceTime', () => {
  it('expects nothing while nothing has been measured', () => {
    expect(new ServiceTime().estimate(32)).toBe(0)
  })

  it('tells the cost of a batch from the cost of an item, once sizes differ', () => {
    const time = measured([1, 4, 32], 5, 2)
    expect([1, 8, 32].map((items) => Math.round(time.estimate(items)))).toEqual([7, 21, 69])
  })

  it('assumes the least that one batch size allows: a larger batch takes no longer, a smaller one its share', () => {
    const time = measured([8], 0, 10)
    expect(time.estimate(8)).toBeCloseTo(80)
    expect(time.estimate(32)).toBeCloseTo(80)
    expect(time.estimate(2)).toBeCloseTo(20)
  })

  it('never makes a larger batch out to be faster, whatever was measured', () => {
    const time = new ServiceTime()
    for (let i = 0; i < 20; i++) time.record(i % 2 === 0 ? 1 : 32, i % 2 === 0 ? 50 : 10)
    expect(time.estimate(32)).toBeGreaterThanOrEqual(time.estimate(1))
    expect(time.estimate(1)).toBeGreaterThanOrEqual(0)
  })

  it('follows a change of speed within a few dozen batches', () => {
    const time = measured([1, 4, 32], 5, 2)
    for (let i = 0; i < 60; i++) time.record([1, 4, 32][i % 3] as number, 3 * (5 + 2 * ([1, 4, 32][i % 3] as number)))
    expect(time.estimate(32)).toBeCloseTo(207, -1)
  })

  it('is not thrown off by one batch that waited for a new engine', () => {
    const time = measured([32], 0, 2)
    time.record(32, 60_000)
    expect(time.estimate(32)).toBeLessThan(64 * 1.25)
  })
})

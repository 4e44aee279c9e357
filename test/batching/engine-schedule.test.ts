import { describe, expect, it } from 'vitest'
import { EngineSchedule } from '../../src/batching/engine-schedule.ts'
import { FakeClock } from '../helpers/fake-clock.ts'

/** One batch of four has been measured, and took 100 ms. */
async function measured(concurrency = 1) {
  const clock = new FakeClock()
  const schedule = new EngineSchedule({ clock, maxBatchSize: 4, concurrency: () => concurrency })
  const batch = schedule.add(4, 'compute')
  await clock.advance(100)
  schedule.end(batch, true)
  return { clock, schedule }
}

describe('EngineSchedule', () => {
  it('foretells nothing before a batch has succeeded', async () => {
    const clock = new FakeClock()
    const schedule = new EngineSchedule({ clock, maxBatchSize: 4, concurrency: () => 1 })
    const batch = schedule.add(4, 'compute')
    await clock.advance(100)
    schedule.end(batch, false)
    expect(schedule.earliestEnd(4, 'compute')).toBeUndefined()
    expect(schedule.msUntilDone(40)).toBe(0)
    expect(schedule.canMeet(1, 40)).toBe(true)
  })

  it('expects a batch that is computed at once to end at twice the measured speed at the earliest', async () => {
    const { clock, schedule } = await measured()
    expect(schedule.earliestEnd(4, 'compute')).toBe(clock.now() + 50)
  })

  it('has a batch that goes ahead wait for the first that runs to end', async () => {
    const { clock, schedule } = await measured(2)
    schedule.add(4, 'compute')
    await clock.advance(30)
    schedule.add(4, 'compute')
    expect(schedule.earliestEnd(4, 'ahead')).toBe(clock.now() + 70 + 50)
  })

  it('begins what waits with the engine when the batch before it ends, and counts its time from then', async () => {
    const { clock, schedule } = await measured()
    const first = schedule.add(4, 'compute')
    const second = schedule.add(4, 'ahead')
    expect(schedule.itemsAhead).toBe(4)
    await clock.advance(60)
    schedule.end(first, true)
    expect(schedule.itemsAhead).toBe(0)
    const begun = clock.now()
    await clock.advance(40)
    expect(schedule.end(second, true)).toBe(begun)
    expect(schedule.isIdle).toBe(true)
  })

  it('forgets a batch that ends before its turn, and begins no other for it', async () => {
    const { clock, schedule } = await measured()
    const [first, second, third] = [schedule.add(4, 'compute'), schedule.add(3, 'ahead'), schedule.add(2, 'ahead')]
    schedule.end(second, false)
    expect(schedule.itemsAhead).toBe(2)
    await clock.advance(10)
    schedule.end(first, true)
    expect(schedule.end(third, false)).toBe(clock.now())
    expect(schedule.isIdle).toBe(true)
  })

  it('counts the last batch as a full one, and what is left of those that run', async () => {
    const { clock, schedule } = await measured()
    schedule.add(4, 'compute')
    await clock.advance(30)
    expect([0, 1, 4, 5].map((items) => schedule.msUntilDone(items))).toEqual([70, 95, 170, 270])
  })

  it('lets engines take turns, each from when it is free', async () => {
    const { clock, schedule } = await measured(2)
    schedule.add(4, 'compute')
    await clock.advance(40)
    expect([4, 8, 12].map((items) => schedule.msUntilDone(items))).toEqual([100, 160, 200])
  })
})

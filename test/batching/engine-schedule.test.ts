import { describe, expect, it } from 'vitest'
import { EngineSchedule, type ScheduledBatch } from '../../src/batching/engine-schedule.ts'
import { FakeClock } from '../helpers/fake-clock.ts'

type Scheduled = ScheduledBatch<string>

/** Batches of up to four; under the key `heavy`, of one. */
function create(concurrency = 1) {
  const clock = new FakeClock()
  const maxBatchSizeOf = (key: string) => (key === 'heavy' ? 1 : 4)
  return { clock, schedule: new EngineSchedule<string>({ clock, maxBatchSizeOf, concurrency: () => concurrency }) }
}

/** One batch of four has been measured, and took 100 ms. */
async function measured(concurrency = 1) {
  const { clock, schedule } = create(concurrency)
  const batch = schedule.add('k', 4, 'compute')
  await clock.advance(100)
  schedule.end(batch, true)
  return { clock, schedule }
}

/** The same, and one of the key `heavy`: 1 s. */
async function measuredBoth(concurrency = 1) {
  const { clock, schedule } = await measured(concurrency)
  const batch = schedule.add('heavy', 1, 'compute')
  await clock.advance(1000)
  schedule.end(batch, true)
  return { clock, schedule }
}

const waiting = (items: number) => new Map([['k', items]])

describe('EngineSchedule', () => {
  it('foretells nothing before a batch has succeeded', async () => {
    const { clock, schedule } = create()
    const batch = schedule.add('k', 4, 'compute')
    await clock.advance(100)
    schedule.end(batch, false)
    expect(schedule.earliestEnd('k', 4, 'compute')).toBeUndefined()
    expect(schedule.msUntilDone(waiting(40))).toBe(0)
    expect(schedule.canMeet(1, waiting(40))).toBe(true)
  })

  it('expects a batch that is computed at once to end at twice the measured speed at the earliest', async () => {
    const { clock, schedule } = await measured()
    expect(schedule.earliestEnd('k', 4, 'compute')).toBe(clock.now() + 50)
  })

  it('has a batch that goes ahead wait for the first that runs to end', async () => {
    const { clock, schedule } = await measured(2)
    schedule.add('k', 4, 'compute')
    await clock.advance(30)
    schedule.add('k', 4, 'compute')
    expect(schedule.earliestEnd('k', 4, 'ahead')).toBe(clock.now() + 70 + 50)
  })

  it('begins what waits with the engine when the batch before it ends, and counts its time from then', async () => {
    const { clock, schedule } = await measured()
    const first = schedule.add('k', 4, 'compute')
    const second = schedule.add('k', 4, 'ahead')
    await clock.advance(60)
    expect(schedule.msUntilDone(waiting(0))).toBe(140)
    schedule.end(first, true)
    const begun = clock.now()
    await clock.advance(40)
    expect(schedule.end(second, true)).toBe(begun)
    expect(schedule.isIdle).toBe(true)
  })

  it('forgets a batch that ends before its turn, and begins no other for it', async () => {
    const { clock, schedule } = await measured()
    const first = schedule.add('k', 4, 'compute')
    const [second, third] = [3, 2].map((items) => schedule.add('k', items, 'ahead')) as [Scheduled, Scheduled]
    expect(schedule.msUntilDone(waiting(0))).toBe(100 + 75 + 50)
    schedule.end(second, false)
    expect(schedule.msUntilDone(waiting(0))).toBe(100 + 50)
    await clock.advance(10)
    schedule.end(first, true)
    expect(schedule.end(third, false)).toBe(clock.now())
    expect(schedule.isIdle).toBe(true)
  })

  it('counts the last batch as a full one, and what is left of those that run', async () => {
    const { clock, schedule } = await measured()
    schedule.add('k', 4, 'compute')
    await clock.advance(30)
    expect([0, 1, 4, 5].map((items) => schedule.msUntilDone(waiting(items)))).toEqual([70, 95, 170, 270])
  })

  it('lets engines take turns, each from when it is free', async () => {
    const { clock, schedule } = await measured(2)
    schedule.add('k', 4, 'compute')
    await clock.advance(40)
    expect([4, 8, 12].map((items) => schedule.msUntilDone(waiting(items)))).toEqual([100, 160, 200])
  })

  it('measures each key for itself', async () => {
    const { clock, schedule } = await measuredBoth()
    expect(schedule.earliestEnd('k', 4, 'compute')).toBe(clock.now() + 50)
    expect(schedule.earliestEnd('heavy', 1, 'compute')).toBe(clock.now() + 500)
    expect(schedule.earliestEnd('new', 1, 'compute')).toBeUndefined()
  })

  it('counts the work of each key in batches of its own size', async () => {
    const { schedule } = await measuredBoth()
    expect(schedule.msUntilDone(new Map([['heavy', 3]]))).toBe(3000)
    const work: [string, number][] = [
      ['heavy', 3],
      ['k', 5],
    ]
    expect(schedule.msUntilDone(new Map(work))).toBe(3000 + 200)
    expect(schedule.msUntilDone(new Map(work.reverse()))).toBe(200 + 3000)
  })

  it('ends with the last key: what a second engine still computes of another does not count', async () => {
    const { clock, schedule } = await measuredBoth(2)
    schedule.add('heavy', 1, 'compute')
    await clock.advance(500)
    // A heavy batch takes the free engine, the other is free in 500 ms.
    const work: [string, number][] = [
      ['heavy', 1],
      ['k', 8],
    ]
    expect(schedule.msUntilDone(new Map(work))).toBe(500 + 200)
  })

  it('forgets how slow a key was when only other keys have been computed for long', async () => {
    const { clock, schedule } = await measuredBoth()
    const compute = async (key: string) => {
      const batch = schedule.add(key, 1, 'compute')
      await clock.advance(10)
      schedule.end(batch, true)
    }
    for (let i = 0; i < 256; i++) await compute('k')
    expect(schedule.earliestEnd('heavy', 1, 'compute')).toBe(clock.now() + 500)
    await compute('k')
    expect(schedule.earliestEnd('heavy', 1, 'compute')).toBeUndefined()
    await compute('heavy')
    expect(schedule.earliestEnd('heavy', 1, 'compute')).toBe(clock.now() + 5)
  })
})

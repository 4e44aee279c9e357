import { describe, expect, it } from 'vitest'
import { settle } from '../helpers/fake-clock.ts'
import { many, setUp, watch } from './fake-engine.ts'

/** An engine that has been measured: one input took 200 ms. */
async function setUpMeasured(options: Parameters<typeof setUp>[0] = {}) {
  const parts = setUp(options)
  parts.batcher.submit('k', ['measured'])
  await parts.clock.advance(200)
  await parts.engine.finish()
  return parts
}

describe('deadlines', () => {
  it('refuse a request at admission when they have passed', async () => {
    const { engine, batcher, clock } = setUp()
    await clock.advance(50)
    for (const deadline of [49, 50]) {
      const result = watch(batcher.submit('k', ['a'], { deadline }))
      await settle()
      expect(result.refusal?.code).toBe('deadline_exceeded')
    }
    expect(engine.seen).toEqual([])
    expect(batcher.queueDepth).toBe(0)
  })

  it('answer what waits as soon as they pass, also while a long batch runs', async () => {
    const { engine, batcher, clock } = setUp()
    batcher.submit('k', ['long'])
    const result = watch(batcher.submit('k', ['a'], { deadline: 20 }))
    await clock.advance(19)
    expect(result.outcomes).toBeUndefined()
    await clock.advance(1)
    expect(result.outcomes).toEqual(['deadline_exceeded'])
    expect(batcher.queueDepth).toBe(0)
    expect(engine.running).toHaveLength(1)
  })

  it('keep expired items from the engine', async () => {
    const { engine, batcher, clock, observed } = setUp()
    batcher.submit('k', ['long'])
    const results = [20, 40, 20].map((deadline, i) => watch(batcher.submit('k', [`${i}`], { deadline })))
    await clock.advance(30)
    await engine.finishAll()
    expect(engine.seen).toEqual([['long'], ['1']])
    expect(results.map(({ outcomes }) => outcomes?.[0])).toEqual(['deadline_exceeded', 'k:1', 'deadline_exceeded'])
    expect(observed.map(({ size }) => size)).toEqual([1, 1])
  })

  it('are checked when the batch forms, even if their timers are late', async () => {
    const { engine, batcher, clock } = setUp()
    batcher.submit('k', ['long'])
    const late = watch(batcher.submit('k', ['late'], { deadline: 20 }))
    const timely = watch(batcher.submit('k', ['timely'], { deadline: 200 }))
    clock.stall(100)
    await engine.finish()
    expect(late.outcomes).toEqual(['deadline_exceeded'])
    expect(engine.seen[1]).toEqual(['timely'])
    await engine.finish()
    expect(timely.outcomes).toEqual(['k:timely'])
    expect(clock.pending).toBe(0)
  })

  it('take a batch of expired items out without running anything', async () => {
    const { engine, batcher, clock } = setUp()
    batcher.submit('k', ['long'])
    const late = watch(batcher.submit('k', many('late', 3), { deadline: 20 }))
    batcher.submit('other', ['b'])
    clock.stall(100)
    await engine.finish()
    expect(late.outcomes).toEqual(['deadline_exceeded', 'deadline_exceeded', 'deadline_exceeded'])
    expect(engine.seen).toEqual([['long'], ['b']])
  })

  it('are checked again when a failed batch is retried', async () => {
    const { engine, batcher, clock } = setUp()
    batcher.submit('k', ['busy'])
    const late = watch(batcher.submit('k', ['late'], { deadline: 20 }))
    const timely = watch(batcher.submit('k', ['timely']))
    await engine.finish()
    clock.stall(100)
    await engine.fail(new Error('poison'))
    expect(late.outcomes).toEqual(['deadline_exceeded'])
    await engine.finishAll()
    expect(timely.outcomes).toEqual(['k:timely'])
    expect(engine.seen).toEqual([['busy'], ['late', 'timely'], ['timely']])
  })

  it('keep from the engine what would expire before the batch ends at twice the measured speed', async () => {
    const { engine, batcher, clock } = await setUpMeasured()
    batcher.submit('k', ['long'])
    await clock.advance(190)
    const hopeless = watch(batcher.submit('k', ['hopeless'], { deadline: clock.now() + 100 }))
    const hopeful = watch(batcher.submit('k', ['hopeful'], { deadline: clock.now() + 120 }))
    await clock.advance(10)
    await engine.finish()
    expect(engine.seen.slice(1)).toEqual([['long'], ['hopeful']])
    await clock.advance(90)
    expect(hopeless.outcomes).toEqual(['deadline_exceeded'])
    await engine.finish()
    expect(hopeful.outcomes).toEqual(['k:hopeful'])
  })

  it('do so only while there is other work, so that a speed measured once is measured again', async () => {
    const { engine, batcher, clock } = await setUpMeasured()
    const hurried = watch(batcher.submit('k', ['hurried'], { deadline: clock.now() + 20 }))
    expect(engine.seen.at(-1)).toEqual(['hurried'])
    await clock.advance(10)
    await engine.finish()
    expect(hurried.outcomes).toEqual(['k:hurried'])
  })

  it('do so while another engine has work, and let other models go where all of one are hopeless', async () => {
    for (const batchTimeoutMs of [0, 5]) {
      const { engine, batcher, clock } = await setUpMeasured({ batchTimeoutMs, capacity: () => 2 })
      batcher.submit('k', many('long', 4))
      const hopeless = watch(batcher.submit('k', ['hopeless'], { deadline: clock.now() + 20 }))
      batcher.submit('other', ['patient'])
      await clock.advance(5)
      expect(engine.seen.slice(2)).toEqual([['patient']])
      await clock.advance(15)
      expect(hopeless.outcomes).toEqual(['deadline_exceeded'])
    }
  })

  it('of one model do not keep the engine from the work of another', async () => {
    const { engine, batcher, clock } = await setUpMeasured()
    batcher.submit('k', ['long'])
    batcher.submit('k', ['hopeless'], { deadline: clock.now() + 20 })
    batcher.submit('other', ['patient'])
    await clock.advance(10)
    await engine.finish()
    expect(engine.seen.slice(2)).toEqual([['patient']])
  })

  it('answer an item that is being computed, whose output is then dropped', async () => {
    const { engine, batcher, clock } = setUp()
    const result = watch(batcher.submit('k', ['a'], { deadline: 20 }))
    await clock.advance(20)
    expect(result.outcomes).toEqual(['deadline_exceeded'])
    await engine.finish()
    expect(result.outcomes).toEqual(['deadline_exceeded'])
  })

  it('leave the items answered before them alone', async () => {
    const { engine, batcher, clock } = setUp({ maxBatchSize: 1 })
    const result = watch(batcher.submit('k', ['a', 'b'], { deadline: 20 }))
    await engine.finish()
    await clock.advance(20)
    expect(result.outcomes).toEqual(['k:a', 'deadline_exceeded'])
  })
})

import { describe, expect, it } from 'vitest'
import { settle } from '../helpers/fake-clock.ts'
import { many, setUp, watch } from './fake-engine.ts'

describe('the bounded queue', () => {
  it('counts what waits, not what is being computed', () => {
    const { batcher } = setUp()
    batcher.submit('k', many('a', 6))
    expect(batcher.queueDepth).toBe(2)
  })

  it('refuses at once when it is full', async () => {
    const { batcher, clock } = setUp({ maxQueueSize: 2 })
    batcher.submit('k', ['a'])
    batcher.submit('k', ['b', 'c'])
    const result = watch(batcher.submit('k', ['d'], { deadline: 1000 }))
    await settle()
    expect(result.refusal).toMatchObject({ code: 'queue_full', retryAfterS: 1 })
    expect(clock.pending).toBe(0)
  })

  it('accepts all inputs of a request or none', async () => {
    const { engine, batcher } = setUp({ maxQueueSize: 3 })
    batcher.submit('k', ['a'])
    batcher.submit('k', ['b', 'c'])
    const tooMany = watch(batcher.submit('k', ['d', 'e']))
    await settle()
    expect(tooMany.refusal?.code).toBe('queue_full')
    expect(batcher.queueDepth).toBe(2)
    const fitting = watch(batcher.submit('k', ['f']))
    await engine.finishAll()
    expect(engine.seen.flat()).toEqual(['a', 'b', 'f', 'c'])
    expect(fitting.outcomes).toEqual(['k:f'])
  })

  it('has room again when a batch leaves', async () => {
    const { engine, batcher } = setUp({ maxQueueSize: 1 })
    batcher.submit('k', ['a'])
    batcher.submit('k', ['b'])
    await engine.finish()
    const result = watch(batcher.submit('k', ['c']))
    await engine.finishAll()
    expect(result.outcomes).toEqual(['k:c'])
  })

  it('says when to come back, from the measured rate', async () => {
    const { engine, batcher, clock } = setUp({ maxQueueSize: 20 })
    batcher.submit('k', many('a', 20))
    await clock.advance(2000)
    await engine.finish()
    // Two seconds a batch of four: one runs, and three are left in the queue.
    expect(batcher.retryAfterS).toBe(8)
    const result = watch(batcher.submit('k', many('b', 9)))
    await settle()
    expect(result.refusal).toMatchObject({ code: 'queue_full', retryAfterS: 8 })
  })
})

import { describe, expect, it } from 'vitest'
import { ServeError } from '../../src/errors.ts'
import { many, setUp, watch } from './fake-engine.ts'

/** Batches of 8, ahead from two waiting items on; one of a single item has been measured, of 20 ms. */
async function setUpAhead(options: Parameters<typeof setUp>[0] = {}) {
  const all = setUp({ maxBatchSize: 8, aheadFrom: 2, ...options })
  all.batcher.submit('k', ['measured'])
  await all.clock.advance(20)
  if (all.engine.seen.length > 0) await all.engine.finish()
  return { ...all, sent: () => all.engine.seen.slice(1) }
}

describe('the next batch', async () => {
  it('goes ahead when the engine takes it, and not before', async () => {
    const { sent, batcher } = await setUpAhead({ aheadFrom: 4 })
    batcher.submit('k', many('a', 4))
    for (const input of ['b', 'c', 'd']) batcher.submit('k', [input])
    expect(sent()).toHaveLength(1)
    batcher.submit('k', ['e'])
    expect(sent()).toEqual([many('a', 4), ['b', 'c', 'd', 'e']])
  })

  it('is one for each that the engine computes at once, and no more', async () => {
    const { sent, batcher } = await setUpAhead({ capacity: () => 2 })
    batcher.submit('k', many('a', 60))
    expect(sent().map(({ length }) => length)).toEqual([8, 8, 8, 8])
    expect(batcher.queueDepth).toBe(28)
  })

  it('waits to be full where batches are held for company', async () => {
    const { sent, batcher, clock } = await setUpAhead({ batchTimeoutMs: 10 })
    batcher.submit('k', many('a', 8))
    batcher.submit('k', many('b', 7))
    expect(sent()).toHaveLength(1)
    batcher.submit('k', ['c'])
    expect([sent().length, clock.now()]).toEqual([2, 20])
  })

  it('does not go where the engine is restarting', () => {
    const { engine, batcher } = setUp({ maxBatchSize: 8, aheadFrom: 2, capacity: () => 0 })
    batcher.submit('k', many('a', 20))
    expect(engine.seen).toEqual([])
  })

  it('does not go before it is known how long batches take', () => {
    const { engine, batcher } = setUp({ maxBatchSize: 8, aheadFrom: 2 })
    batcher.submit('k', many('a', 8))
    batcher.submit('k', many('b', 8))
    expect(engine.seen).toHaveLength(1)
  })

  it('goes without those that would expire before their turn, so nothing expired is computed', async () => {
    const { sent, engine, batcher, clock } = await setUpAhead()
    batcher.submit('k', many('a', 8))
    const hurried = watch(batcher.submit('k', ['hurried'], { deadline: clock.now() + 15 }))
    batcher.submit('k', many('b', 8))
    expect(sent()).toEqual([many('a', 8), many('b', 8)])
    await clock.advance(15)
    await engine.finish()
    expect(hurried.outcomes).toEqual(['deadline_exceeded'])
    expect(sent().flat()).not.toContain('hurried')
  })

  it('does not go when all would expire before its turn', async () => {
    const { sent, batcher, clock } = await setUpAhead()
    batcher.submit('k', many('a', 2))
    batcher.submit('k', many('hurried', 8), { deadline: clock.now() + 15 })
    expect(sent()).toEqual([many('a', 2)])
    expect(batcher.queueDepth).toBe(8)
  })

  it('counts its time from the end of the batch before it, and its wait until then', async () => {
    const { engine, batcher, clock, observed } = await setUpAhead()
    const first = watch(batcher.submit('k', many('a', 2)))
    const result = watch(batcher.submit('k', many('b', 2)))
    await clock.advance(30)
    await engine.finish()
    await clock.advance(20)
    await engine.finish()
    expect(result.answers?.[0]).toMatchObject({ queueMs: 30, computeMs: 20, batchSize: 2 })
    expect(first.answers?.[0]).toMatchObject({ queueMs: 0, computeMs: 30, batchSize: 2 })
    expect(observed.slice(1).map(({ reason }) => reason)).toEqual(['idle', 'ahead'])
  })

  it('is part of the work that stands before a deadline', async () => {
    const { engine, batcher, clock } = await setUpAhead()
    batcher.submit('k', many('a', 8))
    await clock.advance(100)
    await engine.finish()
    batcher.submit('k', many('b', 8))
    batcher.submit('k', many('c', 8))
    expect(batcher.refusal('k', 9, clock.now() + 200)).toMatchObject({ code: 'deadline_unreachable' })
    expect(batcher.refusal('k', 9, clock.now() + 300)).toBeUndefined()
  })

  it('is computed again like the one before it when their engine ends', async () => {
    let capacity = 1
    const { engine, batcher } = await setUpAhead({ capacity: () => capacity })
    const results = [watch(batcher.submit('k', many('a', 2))), watch(batcher.submit('k', many('b', 2)))]
    capacity = 0
    const gone = () => new ServeError('engine_unavailable', 'restarting')
    await engine.fail(gone())
    await engine.fail(gone())
    capacity = 1
    batcher.wake()
    await engine.finishAll()
    expect(results.map(({ outcomes }) => outcomes)).toEqual([
      ['k:a0', 'k:a1'],
      ['k:b0', 'k:b1'],
    ])
    expect(engine.seen).toHaveLength(5)
  })
})

describe('when a batch ends', () => {
  it('the engine has its next work before the answers are given', async () => {
    const order: string[] = []
    const { engine, batcher } = setUp({ maxBatchSize: 1 })
    const run = engine.run.bind(engine)
    engine.run = (key, inputs) => {
      order.push(`computes ${inputs}`)
      return run(key, inputs)
    }
    void batcher.submit('k', ['a']).then(() => order.push('answers a'))
    void batcher.submit('k', ['b'])
    await engine.finish()
    expect(order).toEqual(['computes a', 'computes b', 'answers a'])
  })
})

import { describe, expect, it } from 'vitest'
import { bySelf, setUp, watch } from './fake-engine.ts'

describe('identical inputs in flight', () => {
  const coalescing = { identify: bySelf }

  it('share one computation, and all who wait are answered', async () => {
    const { engine, batcher } = setUp(coalescing)
    batcher.submit('k', ['busy'])
    const results = [1, 2, 3].map(() => watch(batcher.submit('k', ['same'])))
    await engine.finishAll()
    expect(engine.seen).toEqual([['busy'], ['same']])
    expect(results.map(({ outcomes }) => outcomes)).toEqual([['k:same'], ['k:same'], ['k:same']])
  })

  it('join one that is already being computed', async () => {
    const { engine, batcher, clock } = setUp(coalescing)
    const first = watch(batcher.submit('k', ['same']))
    await clock.advance(5)
    const second = watch(batcher.submit('k', ['same']))
    expect(batcher.queueDepth).toBe(0)
    await engine.finish()
    expect(engine.seen).toEqual([['same']])
    expect([first.outcomes, second.outcomes]).toEqual([['k:same'], ['k:same']])
  })

  it('are computed once when they are in the same request', async () => {
    const { engine, batcher } = setUp(coalescing)
    const result = watch(batcher.submit('k', ['same', 'other', 'same', 'same']))
    await engine.finish()
    expect(engine.seen).toEqual([['same', 'other']])
    expect(result.outcomes).toEqual(['k:same', 'k:other', 'k:same', 'k:same'])
  })

  it('take no further place in the queue, not even a full one', async () => {
    const { engine, batcher } = setUp({ ...coalescing, maxQueueSize: 1 })
    batcher.submit('k', ['running'])
    batcher.submit('k', ['same'])
    const result = watch(batcher.submit('k', ['same', 'running', 'same']))
    expect(batcher.queueDepth).toBe(1)
    await engine.finishAll()
    expect(result.outcomes).toEqual(['k:same', 'k:running', 'k:same'])
  })

  it('of one request take one place', async () => {
    const { engine, batcher } = setUp({ ...coalescing, maxQueueSize: 1 })
    const result = watch(batcher.submit('k', ['same', 'same']))
    await engine.finishAll()
    expect(result.outcomes).toEqual(['k:same', 'k:same'])
  })

  it('are computed apart under different keys', async () => {
    const { engine, batcher } = setUp(coalescing)
    const results = ['k', 'other'].map((key) => watch(batcher.submit(key, ['same'])))
    await engine.finishAll()
    expect(engine.seen).toEqual([['same'], ['same']])
    expect(results.map(({ outcomes }) => outcomes)).toEqual([['k:same'], ['other:same']])
  })

  it('are computed again once answered: nothing is cached', async () => {
    const { engine, batcher } = setUp(coalescing)
    batcher.submit('k', ['same'])
    await engine.finish()
    batcher.submit('k', ['same'])
    expect(engine.seen).toEqual([['same'], ['same']])
  })

  it('are computed again after a failure', async () => {
    const { engine, batcher } = setUp(coalescing)
    const first = watch(batcher.submit('k', ['same']))
    await engine.fail(new Error('once'))
    const second = watch(batcher.submit('k', ['same']))
    await engine.finish()
    expect(first.outcomes).toEqual(['inference_failed'])
    expect(second.outcomes).toEqual(['k:same'])
  })

  it('are not joined without `identify`', async () => {
    const { engine, batcher } = setUp()
    batcher.submit('k', ['same', 'same'])
    expect(engine.seen).toEqual([['same', 'same']])
  })

  it('each count their own wait from their own submission', async () => {
    const { engine, batcher, clock } = setUp(coalescing)
    batcher.submit('k', ['busy'])
    const first = watch(batcher.submit('k', ['same']))
    await clock.advance(6)
    const second = watch(batcher.submit('k', ['same']))
    await clock.advance(4)
    await engine.finish()
    await clock.advance(3)
    const third = watch(batcher.submit('k', ['same']))
    await clock.advance(2)
    await engine.finish()
    const waits = [first, second, third].map(({ answers }) => answers?.[0])
    expect(waits).toMatchObject([
      { queueMs: 10, computeMs: 5 },
      { queueMs: 4, computeMs: 5 },
      { queueMs: 0, computeMs: 5 },
    ])
  })
})

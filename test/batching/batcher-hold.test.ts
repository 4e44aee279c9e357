import { describe, expect, it } from 'vitest'
import { many, setUp } from './fake-engine.ts'

describe('holding an underfull batch for batchTimeoutMs', () => {
  const held = { batchTimeoutMs: 10 }

  it('waits for company while the engine is free', async () => {
    const { engine, batcher, clock } = setUp(held)
    batcher.submit('k', ['a'])
    await clock.advance(9)
    batcher.submit('k', ['b'])
    expect(engine.seen).toEqual([])
    await clock.advance(1)
    expect(engine.seen).toEqual([['a', 'b']])
  })

  it('lets the batch go as soon as it is full', async () => {
    const { engine, batcher, clock } = setUp(held)
    batcher.submit('k', ['a', 'b', 'c'])
    expect(engine.seen).toEqual([])
    batcher.submit('k', ['d'])
    expect(engine.seen).toEqual([['a', 'd', 'b', 'c']])
    expect(clock.pending).toBe(0)
  })

  it('counts the time spent waiting for a busy engine', async () => {
    const { engine, batcher, clock } = setUp(held)
    batcher.submit('k', ['a', 'b', 'c', 'd'])
    batcher.submit('k', ['e'])
    await clock.advance(10)
    await engine.finish()
    expect(engine.seen[1]).toEqual(['e'])
  })

  it('does not let a full batch of another key wait', async () => {
    const { engine, batcher, clock } = setUp(held)
    batcher.submit('k', ['a'])
    batcher.submit('other', ['b', 'c', 'd', 'e'])
    expect(engine.seen).toEqual([['b', 'c', 'd', 'e']])
    await engine.finish()
    await clock.advance(10)
    expect(engine.seen[1]).toEqual(['a'])
  })

  it('keeps to the order of turns among keys that need not wait', async () => {
    const { engine, batcher, clock } = setUp(held)
    batcher.submit('k', many('a', 4))
    for (const key of ['red', 'green', 'blue']) batcher.submit(key, [key])
    await clock.advance(10)
    await engine.finishAll()
    expect(engine.batches.map(({ key }) => key)).toEqual(['k', 'red', 'green', 'blue'])
  })

  it('holds no item longer, also when it is not first in turn', async () => {
    const { engine, batcher, clock } = setUp({ batchTimeoutMs: 10, maxBatchSize: 3 })
    batcher.submit('k', ['x', 'y', 'z'])
    batcher.submit('k', ['a1', 'a2', 'a3'])
    await clock.advance(5)
    batcher.submit('k', ['b1', 'b2'])
    await engine.finish()
    expect(engine.seen[1]).toEqual(['a1', 'b1', 'a2'])
    await clock.advance(1)
    await engine.finish()
    // b2 is first in turn and has waited for 1 ms of its 10; a3 has waited for 6.
    await clock.advance(4)
    expect(engine.seen[2]).toEqual(['b2', 'a3'])
  })

  it('starts anew for the next item when the held one is canceled', async () => {
    const { engine, batcher, clock } = setUp(held)
    const controller = new AbortController()
    batcher.submit('k', ['a'], { signal: controller.signal })
    await clock.advance(5)
    batcher.submit('k', ['b'])
    controller.abort()
    await clock.advance(9)
    expect(engine.seen).toEqual([])
    await clock.advance(1)
    expect(engine.seen).toEqual([['b']])
  })

  it('leaves no timer behind when all that was held is canceled', () => {
    const { batcher, clock } = setUp(held)
    const controller = new AbortController()
    batcher.submit('k', ['a'], { signal: controller.signal })
    expect(clock.pending).toBe(1)
    controller.abort()
    expect(clock.pending).toBe(0)
  })
})

describe('the reason a batch left for', () => {
  it('is idle when nothing holds batches', async () => {
    const { engine, batcher, observed } = setUp()
    batcher.submit('k', ['a', 'b'])
    await engine.finish()
    expect(observed).toMatchObject([{ size: 2, reason: 'idle' }])
  })

  it('is full for a batch of the maximum size', async () => {
    const { engine, batcher, observed } = setUp({ batchTimeoutMs: 10 })
    batcher.submit('k', many('a', 4))
    await engine.finish()
    expect(observed).toMatchObject([{ size: 4, reason: 'full' }])
  })

  it('is timeout for an underfull batch that was held long enough', async () => {
    const { engine, batcher, observed, clock } = setUp({ batchTimeoutMs: 10 })
    batcher.submit('k', ['a'])
    await clock.advance(10)
    await engine.finish()
    expect(observed).toMatchObject([{ size: 1, reason: 'timeout' }])
  })

  it('is idle for what a drain sends off early', async () => {
    const { engine, batcher, observed } = setUp({ batchTimeoutMs: 10 })
    batcher.submit('k', ['a'])
    batcher.drain()
    await engine.finish()
    expect(observed).toMatchObject([{ size: 1, reason: 'idle' }])
  })
})

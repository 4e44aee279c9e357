import { describe, expect, it } from 'vitest'
import { settle } from '../helpers/fake-clock.ts'
import { setUp, watch } from './fake-engine.ts'

describe('abort signals', () => {
  it('refuse a request when aborted already', async () => {
    const { engine, batcher } = setUp()
    const result = watch(batcher.submit('k', ['a'], { signal: AbortSignal.abort() }))
    await settle()
    expect(result.refusal?.code).toBe('canceled')
    expect(engine.seen).toEqual([])
  })

  it('free the places of what waits, and keep it from the engine', async () => {
    const { engine, batcher } = setUp({ maxQueueSize: 2 })
    const controller = new AbortController()
    batcher.submit('k', ['busy'])
    const result = watch(batcher.submit('k', ['a', 'b'], { signal: controller.signal }))
    controller.abort()
    expect(batcher.queueDepth).toBe(0)
    const next = watch(batcher.submit('k', ['c', 'd']))
    await engine.finishAll()
    expect(result.outcomes).toEqual(['canceled', 'canceled'])
    expect(next.outcomes).toEqual(['k:c', 'k:d'])
    expect(engine.seen).toEqual([['busy'], ['c', 'd']])
  })

  it('during the computation do not wedge the batcher', async () => {
    const { engine, batcher } = setUp()
    const controller = new AbortController()
    batcher.submit('k', ['a'], { signal: controller.signal })
    controller.abort()
    const next = watch(batcher.submit('k', ['b']))
    await engine.finishAll()
    expect(next.outcomes).toEqual(['k:b'])
  })

  it('keep canceled items out of the retry of a failed batch', async () => {
    const { engine, batcher } = setUp()
    const controller = new AbortController()
    batcher.submit('k', ['a'])
    batcher.submit('k', ['b'], { signal: controller.signal })
    batcher.submit('k', ['c'])
    await engine.finish()
    controller.abort()
    await engine.fail(new Error('poison'))
    await engine.finishAll()
    expect(engine.seen).toEqual([['a'], ['b', 'c'], ['c']])
  })
})

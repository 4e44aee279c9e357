import { describe, expect, it } from 'vitest'
import { settle } from '../helpers/fake-clock.ts'
import { bySelf, setUp, watch } from './fake-engine.ts'

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

  it('of one of two who wait for the same input leave the other', async () => {
    const { engine, batcher } = setUp({ identify: bySelf })
    const controller = new AbortController()
    batcher.submit('k', ['busy'])
    const gone = watch(batcher.submit('k', ['same'], { signal: controller.signal }))
    const stays = watch(batcher.submit('k', ['same']))
    controller.abort()
    expect(batcher.queueDepth).toBe(1)
    await engine.finishAll()
    expect(gone.outcomes).toEqual(['canceled'])
    expect(stays.outcomes).toEqual(['k:same'])
  })

  it('of all who wait for the same input free its place', async () => {
    const { engine, batcher } = setUp({ identify: bySelf })
    const controllers = [new AbortController(), new AbortController()]
    batcher.submit('k', ['busy'])
    for (const { signal } of controllers) batcher.submit('k', ['same', 'same'], { signal })
    for (const controller of controllers) controller.abort()
    expect(batcher.queueDepth).toBe(0)
    const later = watch(batcher.submit('k', ['same']))
    await engine.finishAll()
    expect(later.outcomes).toEqual(['k:same'])
    expect(engine.seen).toEqual([['busy'], ['same']])
  })

  it('during the computation do not stop later requests from joining it', async () => {
    const { engine, batcher } = setUp({ identify: bySelf })
    const controller = new AbortController()
    const gone = watch(batcher.submit('k', ['same'], { signal: controller.signal }))
    controller.abort()
    const joined = watch(batcher.submit('k', ['same']))
    await engine.finishAll()
    expect(gone.outcomes).toEqual(['canceled'])
    expect(joined.outcomes).toEqual(['k:same'])
    expect(engine.seen).toEqual([['same']])
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

import { describe, expect, it } from 'vitest'
import { ServeError } from '../../src/errors.ts'
import { setUp, watch } from './fake-engine.ts'

const many = (prefix: string, count: number): string[] => Array.from({ length: count }, (_, i) => `${prefix}${i}`)

/** Batches of 8, so that two items are a quarter of one. */
const setUpAhead = (options: Parameters<typeof setUp>[0] = {}) =>
  setUp({ maxBatchSize: 8, sendAhead: true, ...options })

describe('the next batch', () => {
  it('goes ahead once as many items wait as are being computed', () => {
    const { engine, batcher } = setUpAhead()
    batcher.submit('k', many('a', 4))
    for (const input of ['b', 'c', 'd']) batcher.submit('k', [input])
    expect(engine.seen).toHaveLength(1)
    batcher.submit('k', ['e'])
    expect(engine.seen).toEqual([many('a', 4), ['b', 'c', 'd', 'e']])
  })

  it('does not go ahead with less than a quarter of a batch', () => {
    const { engine, batcher } = setUpAhead()
    batcher.submit('k', ['a'])
    batcher.submit('k', ['b'])
    expect(engine.seen).toEqual([['a']])
    batcher.submit('k', ['c'])
    expect(engine.seen).toEqual([['a'], ['b', 'c']])
  })

  it('is one for each that the engine computes at once, and no more', () => {
    const { engine, batcher } = setUpAhead({ capacity: () => 2 })
    batcher.submit('k', many('a', 60))
    expect(engine.seen.map(({ length }) => length)).toEqual([8, 8, 8, 8])
    expect(batcher.queueDepth).toBe(28)
  })

  it('waits to be full where batches are held for company', () => {
    const { engine, batcher, clock } = setUpAhead({ batchTimeoutMs: 50 })
    batcher.submit('k', many('a', 8))
    batcher.submit('k', many('b', 7))
    expect(engine.seen).toHaveLength(1)
    batcher.submit('k', ['c'])
    expect([engine.seen.length, clock.now()]).toEqual([2, 0])
  })

  it('does not go where the engine is restarting', () => {
    const { engine, batcher } = setUpAhead({ capacity: () => 0 })
    batcher.submit('k', many('a', 20))
    expect(engine.seen).toEqual([])
  })

  it('counts its time from the end of the batch before it, and its wait until then', async () => {
    const { engine, batcher, clock, observed } = setUpAhead()
    batcher.submit('k', many('a', 2))
    const result = watch(batcher.submit('k', many('b', 2)))
    await clock.advance(30)
    await engine.finish()
    await clock.advance(20)
    await engine.finish()
    expect(result.answers?.[0]).toMatchObject({ queueMs: 30, computeMs: 20, batchSize: 2 })
    expect(observed.map(({ computeMs, reason }) => [computeMs, reason])).toEqual([
      [30, 'idle'],
      [20, 'ahead'],
    ])
  })

  it('is part of the work that stands before a deadline', async () => {
    const { engine, batcher, clock } = setUpAhead()
    batcher.submit('k', many('a', 8))
    await clock.advance(100)
    await engine.finish()
    batcher.submit('k', many('b', 8))
    batcher.submit('k', many('c', 8))
    expect(batcher.refusal(9, clock.now() + 350)).toMatchObject({ code: 'deadline_unreachable' })
    expect(batcher.refusal(9, clock.now() + 500)).toBeUndefined()
  })

  it('is computed again like the one before it when their engine ends', async () => {
    let capacity = 1
    const { engine, batcher } = setUpAhead({ capacity: () => capacity })
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
    expect(engine.seen).toHaveLength(4)
  })
})

describe('when a batch ends', () => {
  it('the engine has its next work before the answers are given', async () => {
    const order: string[] = []
    const { engine, batcher } = setUp({
      maxBatchSize: 1,
      run: (key, inputs) => {
        order.push(`computes ${inputs}`)
        return engine.run(key, inputs)
      },
    })
    void batcher.submit('k', ['a']).then(() => order.push('answers a'))
    void batcher.submit('k', ['b'])
    await engine.finish()
    expect(order).toEqual(['computes a', 'computes b', 'answers a'])
  })
})

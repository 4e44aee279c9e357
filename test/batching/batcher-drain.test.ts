import { describe, expect, it } from 'vitest'
import { settle } from '../helpers/fake-clock.ts'
import { many, setUp, watch } from './fake-engine.ts'

describe('drain', () => {
  /** Whether a promise has resolved so far. */
  function done(promise: Promise<void>) {
    const state = { resolved: false }
    promise.then(() => {
      state.resolved = true
    })
    return state
  }

  it('answers what was accepted, and then resolves', async () => {
    const { engine, batcher } = setUp()
    const results = ['a', 'b'].map((input) => watch(batcher.submit('k', [input])))
    const drained = done(batcher.drain())
    await engine.finish()
    expect(drained.resolved).toBe(false)
    await engine.finish()
    expect(drained.resolved).toBe(true)
    expect(results.map(({ outcomes }) => outcomes)).toEqual([['k:a'], ['k:b']])
  })

  it('refuses new work', async () => {
    const { batcher } = setUp()
    batcher.submit('k', ['a'])
    batcher.drain()
    const result = watch(batcher.submit('k', ['b']))
    await settle()
    expect(result.refusal).toMatchObject({ code: 'draining', retryAfterS: 1 })
  })

  it('resolves at once when there is nothing to do', async () => {
    const drained = done(setUp().batcher.drain())
    await settle()
    expect(drained.resolved).toBe(true)
  })

  it('may be asked for twice', async () => {
    const { engine, batcher } = setUp()
    batcher.submit('k', ['a'])
    const drained = [done(batcher.drain()), done(batcher.drain())]
    await engine.finish()
    expect(drained).toEqual([{ resolved: true }, { resolved: true }])
  })

  it('does not wait for company', async () => {
    const { engine, batcher, clock } = setUp({ batchTimeoutMs: 10 })
    batcher.submit('k', ['a'])
    batcher.drain()
    expect(engine.seen).toEqual([['a']])
    expect(clock.pending).toBe(0)
  })

  it('resolves when what was left has been canceled', async () => {
    const { engine, batcher } = setUp()
    const controller = new AbortController()
    batcher.submit('k', ['a'])
    batcher.submit('k', ['b'], { signal: controller.signal })
    const drained = done(batcher.drain())
    controller.abort()
    await engine.finish()
    expect(drained.resolved).toBe(true)
    expect(engine.seen).toEqual([['a']])
  })

  it('waits for the batch that forms when late deadlines empty the queue', async () => {
    const { engine, batcher, clock } = setUp({ maxBatchSize: 2 })
    batcher.submit('k', ['busy'])
    batcher.submit('k', ['late1', 'late2'], { deadline: 20 })
    const result = watch(batcher.submit('k', ['a']))
    const drained = done(batcher.drain())
    clock.stall(100)
    await engine.finish()
    expect(engine.seen[1]).toEqual(['a'])
    expect(drained.resolved).toBe(false)
    await engine.finish()
    expect(drained.resolved).toBe(true)
    expect(result.outcomes).toEqual(['k:a'])
  })
})

describe('timers', () => {
  it('are all called off once everything is answered', async () => {
    const { engine, batcher, clock } = setUp({ batchTimeoutMs: 10 })
    const results = many('a', 9).map((input) => watch(batcher.submit('k', [input, 'same'], { deadline: 1000 })))
    expect(clock.pending).toBeGreaterThan(0)
    await engine.finishAll()
    await clock.advance(10)
    await engine.finishAll({ poison: ['a8'] })
    expect(results.every(({ outcomes }) => outcomes?.length === 2)).toBe(true)
    expect(clock.pending).toBe(0)
  })
})

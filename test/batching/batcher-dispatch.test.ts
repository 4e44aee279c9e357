import { describe, expect, it } from 'vitest'
import { settle } from '../helpers/fake-clock.ts'
import { many, setUp, watch } from './fake-engine.ts'

describe('dispatch', () => {
  it('gives an idle engine a single item at once', async () => {
    const { engine, batcher, clock } = setUp()
    const result = watch(batcher.submit('k', ['a']))
    expect(engine.seen).toEqual([['a']])
    expect(clock.now()).toBe(0)
    await engine.finish()
    expect(result.outcomes).toEqual(['k:a'])
  })

  it('gathers work while the engine is busy', async () => {
    const { engine, batcher } = setUp()
    const results = ['a', 'b', 'c'].map((input) => watch(batcher.submit('k', [input])))
    expect(engine.seen).toEqual([['a']])
    expect(batcher.queueDepth).toBe(2)
    await engine.finish()
    expect(engine.seen).toEqual([['a'], ['b', 'c']])
    expect(batcher.queueDepth).toBe(0)
    await engine.finish()
    expect(results.map(({ outcomes }) => outcomes)).toEqual([['k:a'], ['k:b'], ['k:c']])
  })

  it('takes what is queued as soon as a batch ends', async () => {
    const { engine, batcher } = setUp()
    batcher.submit('k', many('a', 6))
    await engine.finish()
    expect(engine.seen).toEqual([
      ['a0', 'a1', 'a2', 'a3'],
      ['a4', 'a5'],
    ])
  })

  it('never makes a batch larger than the maximum', async () => {
    const { engine, batcher } = setUp({ maxBatchSize: 3 })
    batcher.submit('k', many('a', 5))
    batcher.submit('k', many('b', 5))
    await engine.finishAll()
    expect(engine.seen.map(({ length }) => length)).toEqual([3, 3, 3, 1])
  })

  it('keeps as many batches with the engine as it may, and no more', async () => {
    const { engine, batcher } = setUp({ capacity: () => 2, maxBatchSize: 1 })
    batcher.submit('k', ['a', 'b', 'c'])
    expect(engine.seen).toEqual([['a'], ['b']])
    await engine.finish()
    expect(engine.seen).toEqual([['a'], ['b'], ['c']])
  })

  it('answers in the order submitted, whichever batch ends first', async () => {
    const { engine, batcher } = setUp({ capacity: () => 2, maxBatchSize: 2 })
    const result = watch(batcher.submit('k', ['a', 'b', 'c', 'd']))
    engine.running.reverse()
    await engine.finishAll()
    expect(result.outcomes).toEqual(['k:a', 'k:b', 'k:c', 'k:d'])
  })

  it('answers a request without inputs at once', async () => {
    const { engine, batcher, clock } = setUp()
    const result = watch(batcher.submit('k', [], { deadline: 1000 }))
    await settle()
    expect(result.outcomes).toEqual([])
    expect(engine.seen).toEqual([])
    expect(clock.pending).toBe(0)
  })

  it('tells each item how long it waited, how long its batch took and how large it was', async () => {
    const { engine, batcher, clock } = setUp()
    const first = watch(batcher.submit('k', ['a']))
    await clock.advance(4)
    const second = watch(batcher.submit('k', ['b', 'c']))
    await clock.advance(6)
    await engine.finish()
    await clock.advance(20)
    await engine.finish()
    expect(first.answers).toEqual([{ output: 'k:a', queueMs: 0, computeMs: 10, batchSize: 1 }])
    expect(second.answers?.[1]).toEqual({ output: 'k:c', queueMs: 6, computeMs: 20, batchSize: 2 })
  })
})

describe('keys', () => {
  it('never share a batch', async () => {
    const { engine, batcher } = setUp()
    const results = ['k', 'other', 'k', 'other'].map((key, i) => watch(batcher.submit(key, [`${i}`])))
    await engine.finishAll()
    expect(engine.batches.map(({ key, inputs }) => [key, ...inputs])).toEqual([
      ['k', '0'],
      ['other', '1', '3'],
      ['k', '2'],
    ])
    expect(results.map(({ outcomes }) => outcomes?.[0])).toEqual(['k:0', 'other:1', 'k:2', 'other:3'])
  })

  it('take turns, so that a busy one does not shut out another', async () => {
    const { engine, batcher } = setUp()
    batcher.submit('busy', many('a', 16))
    batcher.submit('rare', many('b', 8))
    await engine.finishAll()
    expect(engine.batches.map(({ key }) => key)).toEqual(['busy', 'busy', 'rare', 'busy', 'rare', 'busy'])
  })
})

describe('fairness', () => {
  it('lets small requests into the very next batch beside a large one', async () => {
    const { engine, batcher } = setUp()
    const large = watch(batcher.submit('k', many('large', 100)))
    const small = ['a', 'b'].map((input) => watch(batcher.submit('k', [input])))
    await engine.finish()
    expect(engine.seen[1]).toEqual(['large4', 'a', 'b', 'large5'])
    await engine.finish()
    expect(small.map(({ outcomes }) => outcomes)).toEqual([['k:a'], ['k:b']])
    expect(large.outcomes).toBeUndefined()
  })

  it('splits the batches evenly among large requests', async () => {
    const { engine, batcher } = setUp()
    batcher.submit('k', many('a', 12))
    batcher.submit('k', many('b', 12))
    await engine.finish()
    await engine.finish()
    expect(engine.seen.slice(1, 3).map((inputs) => inputs.map((input) => input[0]).join(''))).toEqual(['abab', 'abab'])
  })
})

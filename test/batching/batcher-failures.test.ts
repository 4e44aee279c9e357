import { describe, expect, it } from 'vitest'
import { ServeError } from '../../src/errors.ts'
import { settle } from '../helpers/fake-clock.ts'
import { many, setUp, watch } from './fake-engine.ts'

describe('a failed batch', () => {
  it('is retried in halves, so that one poisonous item fails alone', async () => {
    const { engine, batcher } = setUp({ maxBatchSize: 8 })
    const result = watch(batcher.submit('k', many('a', 8)))
    await engine.finishAll({ poison: ['a5'] })
    const expected = many('k:a', 8)
    expected[5] = 'inference_failed'
    expect(result.outcomes).toEqual(expected)
    expect(engine.seen.map((inputs) => inputs.length)).toEqual([8, 4, 4, 2, 1, 1, 2])
  })

  it('is retried when a ServeError about one input failed it', async () => {
    const { engine, batcher } = setUp()
    const result = watch(batcher.submit('k', ['a', 'b']))
    await engine.fail(new ServeError('invalid_tensor', 'one of them'))
    await engine.fail(new ServeError('invalid_tensor', 'this one'))
    await engine.finish()
    expect(result.outcomes).toEqual(['invalid_tensor', 'k:b'])
  })

  it('fails several poisonous items, each alone', async () => {
    const { engine, batcher } = setUp({ maxBatchSize: 7 })
    const result = watch(batcher.submit('k', many('a', 7)))
    await engine.finishAll({ poison: ['a0', 'a3', 'a6'] })
    const failed = [...(result.outcomes ?? [])].flatMap((outcome, i) => (outcome === 'inference_failed' ? [i] : []))
    expect(failed).toEqual([0, 3, 6])
  })

  it('is one whose number of outputs is wrong', async () => {
    const { engine, batcher } = setUp()
    const result = watch(batcher.submit('k', ['a', 'b']))
    await engine.finishWith(['k:a'])
    await engine.finish()
    await engine.finishWith(['k:b', 'k:b'])
    expect(result.outcomes).toEqual(['k:a', 'inference_failed'])
    expect(engine.seen).toEqual([['a', 'b'], ['a'], ['b']])
  })

  it('is one whose run throws instead of rejecting', async () => {
    const { engine, batcher } = setUp()
    engine.run = () => {
      throw new Error('at once')
    }
    const results = [['a', 'b'], ['c']].map((inputs) => watch(batcher.submit('k', inputs)))
    await settle()
    expect(results.map(({ outcomes }) => outcomes)).toEqual([
      ['inference_failed', 'inference_failed'],
      ['inference_failed'],
    ])
  })

  it('keeps the cause from the client and for the log', async () => {
    const { engine, batcher } = setUp()
    const result = watch(batcher.submit('k', ['a']))
    await engine.fail(new Error('/secret/path'))
    const [answer] = result.answers ?? []
    expect((answer as ServeError).message).not.toContain('secret')
    expect((answer as ServeError).cause).toMatchObject({ message: '/secret/path' })
  })

  it('does not disturb the batches after it', async () => {
    const { engine, batcher } = setUp()
    batcher.submit('k', ['bad'])
    const result = watch(batcher.submit('k', ['good']))
    await engine.fail(new Error('poison'))
    await engine.finish()
    expect(result.outcomes).toEqual(['k:good'])
  })

  it('holds its place with the engine until its retries are done', async () => {
    const { engine, batcher } = setUp()
    batcher.submit('k', ['a', 'b'])
    batcher.submit('k', ['c'])
    await engine.fail(new Error('poison'))
    expect(engine.running.map(({ inputs }) => inputs)).toEqual([['a']])
    await engine.finish()
    expect(engine.running.map(({ inputs }) => inputs)).toEqual([['b']])
    await engine.finish()
    expect(engine.running.map(({ inputs }) => inputs)).toEqual([['c']])
  })

  it('observes only the runs that succeeded', async () => {
    const { engine, batcher, observed } = setUp()
    batcher.submit('k', ['a', 'b', 'c', 'd'])
    await engine.finishAll({ poison: ['d'] })
    expect(observed.map(({ size }) => size)).toEqual([2, 1])
  })
})

import { describe, expect, it } from 'vitest'
import { many, setUp, watch } from './fake-engine.ts'

/** Batches of up to 8; under the key `heavy`, of up to 2. */
const setUpKeys = (options: Parameters<typeof setUp>[0] = {}) =>
  setUp({ maxBatchSizeOf: (key) => (key === 'heavy' ? 2 : 8), ...options })

/** Both keys have been measured: a batch of eight takes 80 ms, a heavy one of two 1 s. */
async function measured(options: Parameters<typeof setUp>[0] = {}) {
  const all = setUpKeys(options)
  const { batcher, clock, engine } = all
  for (const [key, count, ms] of [['k', 8, 80] as const, ['heavy', 2, 1000] as const]) {
    batcher.submit(key, many('measure', count))
    await clock.advance(ms)
    await engine.finish()
  }
  return { ...all, sent: () => engine.batches.slice(2).map(({ key, inputs }) => [key, inputs.length]) }
}

describe('keys with bounds of their own', () => {
  it('have batches of no more than that, in turns', async () => {
    const { batcher, engine } = setUpKeys()
    const heavy = watch(batcher.submit('heavy', many('h', 5)))
    const light = watch(batcher.submit('k', many('a', 10)))
    await engine.finishAll()
    expect(engine.batches.map(({ key, inputs }) => [key, inputs.length])).toEqual([
      ['heavy', 2],
      ['heavy', 2],
      ['k', 8],
      ['heavy', 1],
      ['k', 2],
    ])
    expect(heavy.outcomes).toEqual(many('heavy:h', 5))
    expect(light.outcomes).toEqual(many('k:a', 10))
  })

  it('are run again in halves of those batches when one fails', async () => {
    const { batcher, engine } = setUpKeys()
    const heavy = watch(batcher.submit('heavy', many('h', 4)))
    await engine.finishAll({ poison: ['h1'] })
    expect(engine.seen).toEqual([['h0', 'h1'], ['h0'], ['h1'], ['h2', 'h3']])
    expect(heavy.outcomes).toEqual(['heavy:h0', 'inference_failed', 'heavy:h2', 'heavy:h3'])
  })

  it('say that a batch left full by their own bound', async () => {
    const { batcher, engine, observed } = setUpKeys()
    batcher.submit('heavy', many('h', 2))
    batcher.submit('k', many('a', 2))
    await engine.finishAll()
    expect(observed).toMatchObject([
      { key: 'heavy', size: 2, reason: 'full', computeMs: 0 },
      { key: 'k', size: 2, reason: 'idle', computeMs: 0 },
    ])
  })

  it('hold a batch until it is full by their own bound', async () => {
    const { batcher, engine } = setUpKeys({ batchTimeoutMs: 10 })
    batcher.submit('k', many('a', 2))
    expect(engine.seen).toEqual([])
    batcher.submit('heavy', many('h', 2))
    expect(engine.seen).toEqual([many('h', 2)])
  })

  it('send ahead, where batches are held, only one that is full by their own bound, however long it has waited', async () => {
    const { batcher, clock, sent } = await measured({ batchTimeoutMs: 10, aheadFrom: 2 })
    batcher.submit('k', many('a', 8))
    batcher.submit('k', many('b', 7))
    await clock.advance(10)
    batcher.submit('heavy', many('h', 1))
    expect(sent()).toEqual([['k', 8]])
    batcher.submit('heavy', many('i', 1))
    expect(sent()).toEqual([
      ['k', 8],
      ['heavy', 2],
    ])
  })

  it('ask the engine for a place by the bound of the key whose turn it is', async () => {
    const { batcher, engine } = setUpKeys()
    const asked: [waiting: number, maxBatchSize: number][] = []
    const offer = engine.offer.bind(engine)
    engine.offer = (...question) => {
      asked.push(question)
      return offer(...question)
    }
    batcher.submit('heavy', many('h', 3))
    asked.length = 0
    batcher.submit('k', ['a'])
    expect(asked.at(-1)).toEqual([2, 2])
    await engine.finish()
    // The rest of the first request waits behind the second.
    expect(engine.seen.at(-1)).toEqual(['h2'])
    await engine.fail(new Error('poison'))
    await engine.finishAll()
    expect(engine.seen.at(-1)).toEqual(['a'])
    expect(asked).toContainEqual([1, 8])
  })
})

describe('a deadline', () => {
  it('is judged by the batches and the speed of its own key, and of those before it', async () => {
    const { batcher, clock } = await measured()
    batcher.submit('k', many('running', 8))
    // Nothing waits: 80 ms of the batch that runs, and then two batches of each.
    const code = (key: string, items: number, msLeft: number) => batcher.refusal(key, items, clock.now() + msLeft)?.code
    expect([code('k', 16, 200), code('k', 16, 300)]).toEqual(['deadline_unreachable', undefined])
    expect([code('heavy', 4, 2200), code('heavy', 4, 2400)]).toEqual(['deadline_unreachable', undefined])
    batcher.submit('heavy', many('before', 2))
    expect([code('k', 16, 1300), code('k', 16, 1450)]).toEqual(['deadline_unreachable', undefined])
  })

  it('does not count what another engine still computes when its own batches are done', async () => {
    const { batcher, clock } = await measured({ capacity: () => 2 })
    for (const input of ['first', 'second']) batcher.submit('k', many(input, 8))
    for (const key of ['k', 'heavy', 'k']) batcher.submit(key, many(key, 2))
    // 80 ms of those that run. Then one engine has the heavy batch for a second, the other one of the light ones.
    expect(batcher.refusal('k', 5, clock.now() + 400)).toBeUndefined()
  })

  it('is never refused to what fits into the next batch of its own key', async () => {
    const { batcher, clock } = await measured()
    batcher.submit('k', many('running', 8))
    const code = (key: string, items: number) => batcher.refusal(key, items, clock.now() + 1)?.code
    expect([code('k', 8), code('k', 9)]).toEqual([undefined, 'deadline_unreachable'])
    expect([code('heavy', 2), code('heavy', 3)]).toEqual([undefined, 'deadline_unreachable'])
  })

  it('of a fast key is not given up for the time that a slow one takes', async () => {
    const { batcher, clock, engine, sent } = await measured()
    batcher.submit('k', many('running', 8))
    const [slow, fast] = ['heavy', 'k'].map((key) => watch(batcher.submit(key, [key], { deadline: clock.now() + 200 })))
    await clock.advance(80)
    await engine.finish()
    // Half a second at the least for the heavy one, which has 120 ms.
    expect(sent().at(-1)).toEqual(['k', 1])
    await engine.finish()
    await clock.advance(120)
    expect([slow?.outcomes, fast?.outcomes]).toEqual([['deadline_exceeded'], ['k:k']])
  })
})

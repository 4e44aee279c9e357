import { describe, expect, it } from 'vitest'
import { ServeError } from '../../src/errors.ts'
import { CachedModel, type CacheOptions, PredictionCache } from '../../src/model/cached-model.ts'
import type { Prediction } from '../../src/model/model.ts'
import { FakeClock, settle } from '../helpers/fake-clock.ts'
import { FakeModel } from '../helpers/fake-model.ts'

type Outcome = Prediction | ServeError

/** A model whose computations end when the test says so. The logit of an input is its value. */
function setUp(options: Partial<CacheOptions> = {}) {
  const clock = new FakeClock()
  const lookups: [hits: number, misses: number][] = []
  const cache = new PredictionCache({
    maxBytes: 1_000_000,
    maxWaiting: 100,
    clock,
    onLookup: (hits, misses) => lookups.push([hits, misses]),
    ...options,
  })
  const inner = new FakeModel()
  const computing: { values: number[]; resolve: (outcomes: Outcome[]) => void; reject: (error: Error) => void }[] = []
  inner.respond = (inputs) =>
    new Promise((resolve, reject) => computing.push({ values: inputs.map(([value]) => value ?? 0), resolve, reject }))
  const finish = async (): Promise<void> => {
    const { values, resolve } = computing.shift() ?? { values: [], resolve: () => {} }
    resolve(values.map(prediction))
    await settle()
  }
  return { clock, cache, inner, computing, finish, lookups, model: new CachedModel(inner, cache) }
}

const prediction = (value: number): Prediction => ({
  logits: Float32Array.of(value),
  embedding: Float32Array.of(value, value),
  queueMs: 2,
  computeMs: 3,
  batchSize: 4,
})
const row = (value: number): Float32Array => Float32Array.of(value, 1)
const logits = async (answers: Promise<Outcome[]>) => (await answers).map((each) => (each as Prediction).logits[0])

describe('an input seen before', () => {
  it('is answered without computing, and says that it cost nothing', async () => {
    const { model, inner, finish } = setUp()
    const first = model.predict([row(1)])
    await finish()
    expect(await first).toEqual([prediction(1)])
    const free = { queueMs: 0, computeMs: 0, batchSize: 0, cached: true }
    expect(await model.predict([row(1)])).toEqual([{ ...prediction(1), ...free }])
    expect(inner.calls).toHaveLength(1)
  })

  it('is refused as the model behind the cache refuses, whose facts it shows', () => {
    const { model, inner } = setUp()
    const refused = new ServeError('queue_full', 'full')
    inner.refusal = (...asked: unknown[]) => (asked.join() === '3,50,low' ? refused : undefined)
    expect(model.refusal(3, 50, 'low')).toBe(refused)
    expect(model).toMatchObject({ manifest: inner.manifest, maxBatchSize: inner.maxBatchSize })
  })

  it('keeps its place among those that are computed', async () => {
    const { model, computing, finish, lookups } = setUp()
    void model.predict([row(2)])
    await finish()
    const mixed = model.predict([row(1), row(2), row(3)])
    expect(computing[0]?.values).toEqual([1, 3])
    await finish()
    expect(await logits(mixed)).toEqual([1, 2, 3])
    expect(lookups).toEqual([
      [0, 1],
      [1, 2],
    ])
  })

  it('is the same at another place in memory, and another one with one value changed', async () => {
    const { model, computing, finish } = setUp()
    void model.predict([row(1)])
    await finish()
    void model.predict([Float32Array.of(0, 1, 1).subarray(1), Float32Array.of(1, 2)])
    expect(computing[0]?.values).toEqual([1])
  })

  it('is computed for each model, and anew for one that was loaded again', async () => {
    const { model, cache, inner, computing, finish } = setUp()
    void model.predict([row(1)])
    await finish()
    void new CachedModel(inner, cache).predict([row(1)])
    expect(computing).toHaveLength(1)
  })

  it('is forgotten when newer answers need its place', async () => {
    const { model, cache, computing, finish } = setUp({ maxBytes: 1500 })
    for (const value of [1, 2, 3]) {
      void model.predict([row(value)])
      await finish()
    }
    expect(cache.answers.size).toBe(2)
    void model.predict([row(1)])
    expect(computing).toHaveLength(1)
  })

  it('holds on to its own numbers alone, not to the batch that they came from', async () => {
    const { model, cache, computing } = setUp()
    const batch = new Float32Array(1000)
    void model.predict([row(1)])
    computing[0]?.resolve([{ ...prediction(1), embedding: batch.subarray(0, 4) }])
    await settle()
    const [kept] = [...cache.answers.values()]
    expect(kept?.embedding.buffer.byteLength).toBe(16)
  })

  it('is computed again after a failure', async () => {
    const { model, computing } = setUp()
    const first = model.predict([row(1)])
    computing.shift()?.resolve([new ServeError('inference_failed', 'once')])
    expect(await first).toMatchObject([{ code: 'inference_failed' }])
    void model.predict([row(1)])
    expect(computing).toHaveLength(1)
  })
})

describe('equal inputs at the same time', () => {
  it('share one computation', async () => {
    const { model, inner, finish, lookups } = setUp()
    const answers = [model.predict([row(1)]), model.predict([row(1)]), model.predict([row(1), row(1)])]
    await finish()
    expect(await Promise.all(answers.map(logits))).toEqual([[1], [1], [1, 1]])
    expect(inner.calls).toHaveLength(1)
    expect(lookups).toEqual([
      [0, 1],
      [1, 0],
      [2, 0],
    ])
  })

  it('are computed once within one request', async () => {
    const { model, computing, finish } = setUp()
    const answers = model.predict([row(1), row(2), row(1)])
    expect(computing[0]?.values).toEqual([1, 2])
    await finish()
    expect(await logits(answers)).toEqual([1, 2, 1])
  })

  it.each(['canceled', 'deadline_exceeded', 'inference_failed'] as const)(
    'are computed for whoever stays when the first asked in vain: %s',
    async (code) => {
      const { model, computing, finish } = setUp()
      const first = model.predict([row(1)])
      const second = model.predict([row(1)])
      computing.shift()?.resolve([new ServeError(code, 'the first one’s')])
      expect(await first).toMatchObject([{ code }])
      await settle()
      await finish()
      expect(await logits(second)).toEqual([1])
    },
  )

  it('are computed for whoever stays when the first was refused', async () => {
    const { model, computing, finish } = setUp()
    const first = model.predict([row(1)])
    const second = model.predict([row(1)])
    computing.shift()?.reject(new ServeError('queue_full', 'full'))
    await expect(first).rejects.toMatchObject({ code: 'queue_full' })
    await settle()
    await finish()
    expect(await logits(second)).toEqual([1])
  })

  it('each keep their own deadline and their own client', async () => {
    const { model, inner, clock, cache } = setUp()
    const controller = new AbortController()
    void model.predict([row(1)])
    const hurried = { deadline: 20 }
    const leaving = { signal: controller.signal }
    void model.predict([row(1)], hurried)
    void model.predict([row(1)], leaving)
    expect(cache.waiting).toBe(2)
    await clock.advance(20)
    controller.abort()
    await settle()
    // The model is asked with what they had, and answers that it is too late.
    expect(inner.calls.slice(1).map(({ options }) => options)).toEqual([hurried, leaving])
    expect([cache.waiting, clock.pending]).toEqual([0, 0])
  })

  it('wait for one another only as far as the bound reaches; more are computed on their own', async () => {
    const { model, inner, cache } = setUp({ maxWaiting: 2 })
    for (let i = 0; i < 4; i++) void model.predict([row(1)])
    expect([cache.waiting, inner.calls.length]).toEqual([2, 2])
  })
})

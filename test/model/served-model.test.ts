import { describe, expect, it } from 'vitest'
import type { Outputs } from '../../src/engines/engine.ts'
import { ServeError } from '../../src/errors.ts'
import { createModelBatcher, ServedModel } from '../../src/model/served-model.ts'
import type { InputBatch } from '../../src/workers/protocol.ts'
import { FakeClock } from '../helpers/fake-clock.ts'
import { fakeManifest } from '../helpers/fake-model.ts'

const LOADED = { precision: 'fp32', precisionReason: 'the model has no scales', maxBatchSize: 8 } as const

/** One engine, which takes 5 ms for a batch and fails on an input below 0. The row of an input is that input, counted on. */
function setUp() {
  const clock = new FakeClock()
  const asked: { key: string; input: number[]; batchSize: number }[] = []
  let running = 0
  const engine = {
    count: 1,
    ready: 1,
    offer: () => (running === 0 ? ('compute' as const) : undefined),
    async run(key: string, { inputs, batchSize }: InputBatch): Promise<Outputs> {
      const input = inputs.flatMap((values) => [...values])
      asked.push({ key, input, batchSize })
      running++
      await new Promise<void>((done) => clock.after(5, done))
      running--
      if (input.some((value) => value < 0)) throw new Error('below 0')
      const rows = (length: number): Float32Array =>
        Float32Array.from({ length: batchSize * length }, (_, i) => (input[Math.floor(i / length)] ?? 0) + (i % length))
      return { logits: rows(3), embedding: rows(4) }
    },
  }
  const batcher = createModelBatcher(engine, { batchTimeoutMs: 0, maxQueueSize: 8, clock })
  const model = new ServedModel('fake/1', fakeManifest(), LOADED, batcher)
  return { clock, asked, batcher, model }
}

const row = (value: number): Float32Array => Float32Array.of(value)

describe('ServedModel', () => {
  it('shares a batch between callers, and gives each its own rows and what they cost', async () => {
    const { clock, asked, model } = setUp()
    const first = model.predict([row(10)])
    const second = model.predict([row(20), row(30)])
    const third = model.predict([row(40)])
    await clock.advance(10)
    expect(asked).toEqual([
      { key: 'fake/1', input: [10], batchSize: 1 },
      { key: 'fake/1', input: [20, 40, 30], batchSize: 3 },
    ])
    const of = (value: number, queueMs: number, batchSize: number) => ({
      logits: Float32Array.of(value, value + 1, value + 2),
      embedding: Float32Array.of(value, value + 1, value + 2, value + 3),
      queueMs,
      computeMs: 5,
      batchSize,
    })
    expect(await first).toEqual([of(10, 0, 1)])
    expect(await second).toEqual([of(20, 5, 3), of(30, 5, 3)])
    expect(await third).toEqual([of(40, 5, 3)])
  })

  it('counts its batches by size, with what they took', async () => {
    const { clock, model } = setUp()
    for (const inputs of [[row(10)], [row(20), row(30)], [row(40)]]) void model.predict(inputs)
    await clock.advance(10)
    expect([...model.statistics.batches]).toEqual([
      [1, { count: 1, ms: 5 }],
      [3, { count: 1, ms: 5 }],
    ])
  })

  it('tells what it is computed in, and why not in something faster', () => {
    expect(setUp().model).toMatchObject(LOADED)
  })

  it('computes two models apart, though they wait in one queue', async () => {
    const { clock, asked, batcher, model } = setUp()
    void model.predict([row(1)])
    void model.predict([row(2)])
    void new ServedModel('other/1', fakeManifest(), LOADED, batcher).predict([row(3)])
    await clock.advance(15)
    expect(asked.map(({ key, input }) => [key, ...input])).toEqual([
      ['fake/1', 1],
      ['fake/1', 2],
      ['other/1', 3],
    ])
  })

  it('has batches of its own size', async () => {
    const { clock, asked, batcher } = setUp()
    const heavy = new ServedModel('heavy/1', fakeManifest(), { ...LOADED, maxBatchSize: 2 }, batcher)
    const answers = heavy.predict([row(1), row(2), row(3)])
    await clock.advance(20)
    expect(asked.map(({ input }) => input)).toEqual([[1, 2], [3]])
    expect(await answers).toMatchObject([{ batchSize: 2 }, { batchSize: 2 }, { batchSize: 1 }])
  })

  it('has an embedding only when it has no classes', async () => {
    const { clock, batcher } = setUp()
    const { architecture } = fakeManifest()
    const manifest = fakeManifest({ architecture: { ...architecture, numClasses: 0 } })
    const answers = new ServedModel('bare/1', manifest, LOADED, batcher).predict([row(1), row(2)])
    await clock.advance(10)
    expect(await answers).toMatchObject([
      { logits: new Float32Array(), embedding: Float32Array.of(1, 2, 3, 4) },
      { logits: new Float32Array(), embedding: Float32Array.of(2, 3, 4, 5) },
    ])
  })

  it('tells what would be refused for want of room or of time', async () => {
    const { clock, model } = setUp()
    expect(model.refusal(9, clock.now() + 1000)).toMatchObject({ code: 'queue_full' })
    expect(model.refusal(8, clock.now())).toMatchObject({ code: 'deadline_exceeded' })
    expect(model.refusal(8, clock.now() + 1000)).toBeUndefined()
  })

  it('fails one bad input alone, in its place', async () => {
    const { clock, model } = setUp()
    const answers = model.predict([row(1), row(-1), row(3)])
    await clock.advance(60)
    const [first, bad, third] = await answers
    expect(first).toMatchObject({ logits: Float32Array.of(1, 2, 3) })
    expect(bad).toBeInstanceOf(ServeError)
    expect(bad).toMatchObject({ code: 'inference_failed' })
    expect(third).toMatchObject({ logits: Float32Array.of(3, 4, 5) })
  })

  it('makes no class of numbers that are not finite, and leaves the neighbours in the batch alone', async () => {
    const { clock, model } = setUp()
    const answers = model.predict([row(1), row(Number.NaN), row(Number.POSITIVE_INFINITY), row(3)])
    await clock.advance(10)
    const [first, nan, infinite, last] = await answers
    for (const bad of [nan, infinite]) expect(bad).toMatchObject({ code: 'invalid_tensor' })
    expect([first, last]).toMatchObject([{ logits: Float32Array.of(1, 2, 3) }, { logits: Float32Array.of(3, 4, 5) }])
  })

  it('drops what is past its deadline or abandoned before the engine sees it', async () => {
    const { clock, asked, model } = setUp()
    const abort = new AbortController()
    void model.predict([row(1)])
    const late = model.predict([row(2)], { deadline: clock.now() + 3 })
    const abandoned = model.predict([row(3)], { signal: abort.signal })
    abort.abort()
    await clock.advance(10)
    expect(await late).toEqual([expect.objectContaining({ code: 'deadline_exceeded' })])
    expect(await abandoned).toEqual([expect.objectContaining({ code: 'canceled' })])
    expect(asked.map(({ input }) => input)).toEqual([[1]])
  })

  it('rejects as a whole when the queue has no room', async () => {
    const inputs = Array.from({ length: 9 }, (_, i) => row(i))
    await expect(setUp().model.predict(inputs)).rejects.toMatchObject({ code: 'queue_full' })
  })
})

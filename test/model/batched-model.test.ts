import { describe, expect, it } from 'vitest'
import { ServeError } from '../../src/errors.ts'
import { BatchedModel, createModelBatcher, type ModelBatcher } from '../../src/model/batched-model.ts'
import type { Model, Prediction } from '../../src/model/model.ts'
import { FakeClock, settle } from '../helpers/fake-clock.ts'
import { fakeManifest } from '../helpers/fake-model.ts'

/** Answers each input with itself, 5 ms a batch; an input below 0 fails. */
class EchoModel implements Model {
  readonly manifest = fakeManifest()
  readonly precision = 'int8'
  readonly precisionReason = undefined
  readonly batches: number[][] = []
  readonly #clock: FakeClock

  constructor(clock: FakeClock) {
    this.#clock = clock
  }

  async predict(inputs: Float32Array[]): Promise<(Prediction | ServeError)[]> {
    this.batches.push(inputs.map((input) => input[0] as number))
    await new Promise<void>((done) => this.#clock.after(5, done))
    const cost = { queueMs: 0, computeMs: 0, batchSize: 0 }
    return inputs.map((input) =>
      (input[0] as number) < 0
        ? new ServeError('inference_failed', 'below 0')
        : { logits: input, embedding: input, ...cost },
    )
  }
}

function setUp(): { clock: FakeClock; inner: EchoModel; batcher: ModelBatcher; model: BatchedModel } {
  const clock = new FakeClock()
  const inner = new EchoModel(clock)
  const options = { maxBatchSize: 8, batchTimeoutMs: 0, maxQueueSize: 8, capacity: () => 1 }
  const batcher = createModelBatcher({ ...options, clock })
  return { clock, inner, batcher, model: new BatchedModel(inner, batcher) }
}

const row = (...values: number[]): Float32Array => Float32Array.from(values)

describe('BatchedModel', () => {
  it('shares a batch between callers, and tells each its own answers and what they cost', async () => {
    const { clock, inner, model } = setUp()
    const first = model.predict([row(1)])
    const second = model.predict([row(2), row(3)])
    const third = model.predict([row(4)])
    await clock.advance(10)
    expect(inner.batches).toEqual([[1], expect.arrayContaining([2, 3, 4])])
    const cost = { queueMs: 5, computeMs: 5, batchSize: 3 }
    expect(await first).toEqual([{ logits: row(1), embedding: row(1), queueMs: 0, computeMs: 5, batchSize: 1 }])
    expect(await second).toEqual([2, 3].map((value) => ({ logits: row(value), embedding: row(value), ...cost })))
    expect(await third).toEqual([{ logits: row(4), embedding: row(4), ...cost }])
  })

  it('computes equal inputs once, and inputs that differ in one value apart', async () => {
    const { clock, inner, model } = setUp()
    // The same bytes at another place in their memory are the same input.
    const view = row(0, 1, 2).subarray(1)
    const answers = model.predict([row(1, 2), view, row(1, 3)])
    await clock.advance(5)
    expect(inner.batches).toHaveLength(1)
    expect(inner.batches[0]).toHaveLength(2)
    expect((await answers).map((answer) => (answer as Prediction).logits[1])).toEqual([2, 2, 3])
  })

  it('keeps two models apart, even on equal inputs', async () => {
    const { clock, inner, batcher, model } = setUp()
    const other = new EchoModel(clock)
    void model.predict([row(1)])
    void new BatchedModel(other, batcher).predict([row(1)])
    await clock.advance(10)
    expect([inner.batches, other.batches]).toEqual([[[1]], [[1]]])
  })

  it('fails one bad input alone, in its place', async () => {
    const { clock, model } = setUp()
    const answers = model.predict([row(1), row(-1), row(3)])
    await clock.advance(60)
    const [first, bad, third] = await answers
    expect(first).toMatchObject({ logits: row(1) })
    expect(bad).toMatchObject({ code: 'inference_failed' })
    expect(third).toMatchObject({ logits: row(3) })
  })

  it('drops what is past its deadline or abandoned before the engine sees it', async () => {
    const { clock, inner, model } = setUp()
    const abort = new AbortController()
    void model.predict([row(1)])
    const late = model.predict([row(2)], { deadline: clock.now() + 3 })
    const abandoned = model.predict([row(3)], { signal: abort.signal })
    abort.abort()
    await clock.advance(10)
    expect(await late).toEqual([expect.objectContaining({ code: 'deadline_exceeded' })])
    expect(await abandoned).toEqual([expect.objectContaining({ code: 'canceled' })])
    await settle()
    expect(inner.batches).toEqual([[1]])
  })

  it('rejects as a whole when the queue has no room', async () => {
    const { model } = setUp()
    const inputs = Array.from({ length: 9 }, (_, i) => row(i))
    await expect(model.predict(inputs)).rejects.toMatchObject({ code: 'queue_full' })
  })
})

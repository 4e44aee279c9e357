import { describe, expect, it } from 'vitest'
import type { Outputs } from '../../src/engines/engine.ts'
import { ModelCatalog } from '../../src/model/catalog.ts'
import { createModelBatcher, ServedModel } from '../../src/model/served-model.ts'
import type { InputBatch } from '../../src/workers/protocol.ts'
import { build } from '../helpers/build.ts'
import { FakeClock } from '../helpers/fake-clock.ts'
import { fakeManifest } from '../helpers/fake-model.ts'
import { floats } from '../helpers/pictures.ts'

const BATCH_MS = 200
const BATCH_SIZE = 8

/** The whole way from HTTP to an engine whose batches take 200 ms of a clock that the test moves. */
async function setUp() {
  const clock = new FakeClock()
  /** The first number of every input that was computed. */
  const computed: number[] = []
  let running = 0
  const engine = {
    count: 1,
    ready: 1,
    offer: () => (running === 0 ? ('compute' as const) : undefined),
    async run(_key: string, { inputs, batchSize }: InputBatch): Promise<Outputs> {
      for (const input of inputs) computed.push(input[0] as number)
      running++
      await new Promise<void>((done) => clock.after(BATCH_MS, done))
      running--
      return { logits: new Float32Array(3 * batchSize), embedding: new Float32Array(4 * batchSize) }
    },
  }
  const batcher = createModelBatcher(engine, { batchTimeoutMs: 0, maxQueueSize: 100, clock })
  const models = new ModelCatalog()
  const loaded = { precision: 'fp32', precisionReason: undefined, maxBatchSize: BATCH_SIZE } as const
  models.add(new ServedModel('fake/1', fakeManifest(), loaded, batcher))
  const { app } = await build({
    services: { clock, models, refusal: (model, inputs, deadline) => model.refusal(inputs, deadline) },
  })

  let sends = 0
  /** Resolves when the request has reached the batcher, or has been answered. */
  async function send(first: number, timeoutMs: number) {
    const sent = app.inject({
      method: 'POST',
      url: '/embed',
      headers: { 'content-type': 'application/octet-stream', 'x-request-timeout-ms': String(timeoutMs) },
      payload: floats(first, 0, 0, 0, 0, 0),
    })
    let answered = false
    void sent.then(() => {
      answered = true
    })
    const accepted = ++sends
    while (!answered && batcher.queueDepth + computed.length < accepted) {
      await new Promise((resolve) => setImmediate(resolve))
    }
    return { sent }
  }

  /** Moves the clock, and lets HTTP catch up. */
  async function pass(ms: number): Promise<void> {
    await clock.advance(ms)
    for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve))
  }
  return { send, pass, computed }
}

describe('a deadline of 20 ms behind a batch of 200 ms', () => {
  it('is answered with 504 when it passes, and what is late never reaches the engine', async () => {
    const { send, pass, computed } = await setUp()
    const slow = await send(1, 10_000)
    const hurried = await Promise.all(Array.from({ length: 50 }, (_, i) => send(100 + i, 20)))
    await pass(20)
    // No more than the 20 ms have passed, 180 before the engine is free.
    for (const { sent } of hurried) expect((await sent).statusCode).toBe(504)
    await pass(BATCH_MS)
    expect((await slow.sent).statusCode).toBe(200)
    await pass(10 * BATCH_MS)
    expect(computed).toEqual([1])
  })

  it('is answered so, too, when it is known how long a batch takes; what would wait for a later one is refused', async () => {
    const { send, pass, computed } = await setUp()
    const measured = await send(1, 10_000)
    await pass(BATCH_MS)
    await measured.sent
    const slow = await send(2, 10_000)
    const next = await Promise.all(Array.from({ length: BATCH_SIZE }, (_, i) => send(100 + i, 20)))
    const { statusCode, headers } = await (await send(3, 20)).sent
    expect([statusCode, headers['retry-after']]).toEqual([503, '1'])
    await pass(20)
    for (const { sent } of next) expect((await sent).statusCode).toBe(504)
    await pass(BATCH_MS)
    await slow.sent
    expect(computed).toEqual([1, 2])
  })
})

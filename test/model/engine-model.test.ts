import { describe, expect, it } from 'vitest'
import { ServeError } from '../../src/errors.ts'
import { EngineModel } from '../../src/model/engine-model.ts'
import type { Outputs } from '../../src/model/engines/engine.ts'
import { FakeClock } from '../helpers/fake-clock.ts'
import { fakeManifest } from '../helpers/fake-model.ts'

const LOADED = { precision: 'fp32', precisionReason: 'the processor has no VNNI' } as const

describe('EngineModel', () => {
  it('runs all inputs as one batch, and gives each its own rows', async () => {
    const clock = new FakeClock()
    const asked: unknown[] = []
    const engine = {
      async run(key: string, input: Float32Array, batchSize: number): Promise<Outputs> {
        asked.push([key, [...input], batchSize])
        await clock.advance(7)
        return { logits: Float32Array.of(1, 2, 3, 4, 5, 6), embedding: Float32Array.of(10, 11, 12, 13, 14, 15, 16, 17) }
      },
    }
    const model = new EngineModel(engine, 'digits/1', fakeManifest(), LOADED, clock)
    expect(model).toMatchObject(LOADED)
    const predictions = await model.predict([Float32Array.of(5, 6), Float32Array.of(7, 8)])
    expect(asked).toEqual([['digits/1', [5, 6, 7, 8], 2]])
    const cost = { queueMs: 0, computeMs: 7, batchSize: 2 }
    expect(predictions).toEqual([
      { logits: Float32Array.of(1, 2, 3), embedding: Float32Array.of(10, 11, 12, 13), ...cost },
      { logits: Float32Array.of(4, 5, 6), embedding: Float32Array.of(14, 15, 16, 17), ...cost },
    ])
  })

  it('passes a failure of the engine on', async () => {
    const gone = new ServeError('engine_unavailable', 'the engine is restarting')
    const model = new EngineModel(
      { run: () => Promise.reject(gone) },
      'digits/1',
      fakeManifest(),
      LOADED,
      new FakeClock(),
    )
    await expect(model.predict([Float32Array.of(1)])).rejects.toBe(gone)
  })
})

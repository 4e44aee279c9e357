import { fileURLToPath } from 'node:url'
import { describe, expect, it, onTestFinished } from 'vitest'
import { systemClock } from '../../src/batching/clock.ts'
import { readRepository } from '../../src/repository/repository.ts'
import { EngineProcess } from '../../src/workers/process.ts'

describe('the null engine', () => {
  it('answers as an engine does: a row of numbers of the model’s size for each input', async () => {
    const [entry] = await readRepository(fileURLToPath(new URL('../../models', import.meta.url)))
    if (entry === undefined) throw new Error('no model')
    const { input, architecture } = entry.manifest
    const engine = new EngineProcess({
      heartbeatTimeoutMs: 60_000,
      batchTimeoutMs: 60_000,
      clock: systemClock,
      onOutput: () => {},
      onWarning: () => {},
      entry: new URL('../../bench/null/engine-child.ts', import.meta.url),
    })
    onTestFinished(() => engine.stop())
    await engine.call('load', { key: 'digits/1', entry, allowedBatchSizes: [1] })
    const pixels = new Float32Array(3 * input.height * input.width)
    const { logits, embedding } = await engine.run({ key: 'digits/1', inputs: [pixels], batchSize: 3 })
    expect(logits).toHaveLength(3 * architecture.numClasses)
    expect(embedding).toHaveLength(3 * architecture.embeddingSize)
    // Zeros would be cheaper to print than what an engine answers.
    expect(new Set(embedding).size).toBeGreaterThan(architecture.embeddingSize)
  })
})

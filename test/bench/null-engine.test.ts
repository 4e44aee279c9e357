import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { Outputs } from '../../src/engines/engine.ts'
import { readRepository } from '../../src/repository/repository.ts'
import type { Method, Params } from '../../src/workers/protocol.ts'

/** The bench's engine process, and a way to ask it what the server asks an engine. */
function startNullEngine() {
  const child = fork(fileURLToPath(new URL('../../bench/null/engine-child.ts', import.meta.url)), {
    serialization: 'advanced',
    execArgv: ['--import', 'tsx'],
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  return <M extends Method>(method: M, params: Params<M>): Promise<unknown> =>
    new Promise((resolve) => {
      child.on('message', (reply: { id?: number; result?: unknown }) => {
        if (reply.id === 1) resolve(reply.result)
      })
      child.send({ id: 1, method, params })
    })
}

describe('the null engine', () => {
  it('answers as an engine does: a row of numbers of the model’s size for each input', async () => {
    const [entry] = await readRepository(fileURLToPath(new URL('../../models', import.meta.url)))
    if (entry === undefined) throw new Error('no model')
    const { input, architecture } = entry.manifest
    const call = startNullEngine()
    await call('load', { key: 'digits/1', entry, allowedBatchSizes: [1] })
    const pixels = new Float32Array(3 * input.height * input.width)
    const { logits, embedding } = (await call('run', { key: 'digits/1', input: pixels, batchSize: 3 })) as Outputs
    expect(logits).toHaveLength(3 * architecture.numClasses)
    expect(embedding).toHaveLength(3 * architecture.embeddingSize)
    // Zeros would be cheaper to print than what an engine answers.
    expect(new Set(embedding).size).toBeGreaterThan(architecture.embeddingSize)
  })
})

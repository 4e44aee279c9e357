import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { systemClock } from '../../src/batching/clock.ts'
import { ServeError } from '../../src/errors.ts'
import { EngineProcess } from '../../src/workers/process.ts'
import { ENGINE_PROCESS } from '../helpers/built.ts'
import { readParityFixture, relativeDifference, smallFixture } from '../helpers/parity-fixtures.ts'
import { eventually, isAlive } from './processes.ts'

const { entry, input, expected } = smallFixture()

describe('the engine process', () => {
  let signsOfLife = 0
  let child: EngineProcess

  beforeAll(() => {
    const after: typeof systemClock.after = (ms, callback) => {
      signsOfLife++
      return systemClock.after(ms, callback)
    }
    child = new EngineProcess({
      heartbeatTimeoutMs: 60_000,
      batchTimeoutMs: 60_000,
      clock: { ...systemClock, after },
      onOutput: () => {},
      onWarning: () => {},
      entry: ENGINE_PROCESS,
    })
  })
  afterAll(() => child.stop())

  const run = (key: string) => child.run({ key, inputs: [input], batchSize: 3 })

  it('refuses to load before it is open', async () => {
    await expect(child.call('load', { key: 'a', entry, allowedBatchSizes: [] })).rejects.toThrow('load before open')
  })

  it('opens an engine, loads a model and gives its answers', async () => {
    const opened = await child.call('open', {
      choice: 'onnx',
      options: { threads: 1, precision: 'auto', tensorflowDir: '/nowhere' },
    })
    expect(opened).toMatchObject({ engine: 'onnx', passedOver: [] })
    const loaded = await child.call('load', { key: 'a', entry, allowedBatchSizes: [1, 4] })
    expect(loaded.parameters).toBeGreaterThan(1000)
    const { logits, embedding } = await run('a')
    expect(logits).toBeInstanceOf(Float32Array)
    expect(relativeDifference(logits, expected.logits)).toBeLessThan(1e-3)
    expect(relativeDifference(embedding, expected.embedding)).toBeLessThan(1e-3)
  })

  it('answers for a model of three channels without a classifier', async () => {
    const headless = readParityFixture('torchvision-headless')
    await child.call('load', { key: 'headless', entry: headless.entry, allowedBatchSizes: [1, 4] })
    const { logits, embedding } = await child.run({ key: 'headless', inputs: [headless.input], batchSize: 3 })
    expect(logits).toEqual(new Float32Array())
    expect(relativeDifference(embedding, headless.expected.embedding)).toBeLessThan(1e-3)
  })

  it('refuses a model that is not loaded', async () => {
    const refusal = await run('b').catch((error) => error)
    expect(refusal).not.toBeInstanceOf(ServeError)
    expect(refusal.message).toBe('no model b is loaded')
  })

  it('refuses an input of the wrong size, and goes on', async () => {
    await expect(child.run({ key: 'a', inputs: [input.slice(1)], batchSize: 3 })).rejects.toThrow()
    expect((await run('a')).logits).toHaveLength(expected.logits.length)
  })

  it('gives signs of life while it has nothing to do', async () => {
    const before = signsOfLife
    await eventually(() => expect(signsOfLife).toBeGreaterThan(before))
  })

  it.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)('leaves %s to its parent', async (signal) => {
    process.kill(child.pid as number, signal)
    expect((await run('a')).logits).toHaveLength(expected.logits.length)
    expect(isAlive(child.pid)).toBe(true)
  })

  it('ends when its parent lets go of it', async () => {
    await child.stop()
    expect(await child.exited).toBe('exit code 0')
  })
})

it('the engine process ends when its parent is killed', async () => {
  const script = fileURLToPath(new URL('./orphan-parent.mjs', import.meta.url))
  const parent = spawn('node', [script, fileURLToPath(ENGINE_PROCESS)], { stdio: ['ignore', 'pipe', 'inherit'] })
  await once(parent.stdout, 'data')
  parent.kill('SIGKILL')
  await once(parent.stdout, 'close')
})

import { readdirSync } from 'node:fs'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { systemClock } from '../../src/batching/clock.ts'
import type { GpuOptions } from '../../src/engines/engine.ts'
import { EngineProcess } from '../../src/workers/process.ts'
import { type FakeAddon, installAddon } from '../engines/tensorflow/fake-addon.ts'
import { ENGINE_PROCESS } from '../helpers/built.ts'
import { FIXTURE_BATCH, smallFixture } from '../helpers/parity-fixtures.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'
import { eventually, stopAfterTest } from './processes.ts'

/** Everything of the engine `cuda` but the GPU: the real engine process on an addon that only looks like TensorFlow. */
const { entry, input } = smallFixture()
const ITEM = input.length / FIXTURE_BATCH
/** The largest batch that the fake device holds, which is an allowed size. */
const FITS = 2 ** Math.floor(Math.log2(4096 / ITEM))

afterEach(() => vi.unstubAllEnvs())

async function open(addon: FakeAddon, gpu: GpuOptions = {}) {
  const output: string[] = []
  const warnings: string[] = []
  const child = stopAfterTest(
    new EngineProcess({
      heartbeatTimeoutMs: 60_000,
      batchTimeoutMs: 60_000,
      clock: systemClock,
      onOutput: (line) => output.push(line),
      onWarning: (line) => warnings.push(line),
      entry: ENGINE_PROCESS,
    }),
  )
  await child.call('open', { choice: 'cuda', options: { ...addon.options, gpu } })
  const load = (allowedBatchSizes: number[]) => child.call('load', { key: 'a', entry, allowedBatchSizes })
  const run = (batchSize: number, value = 1) =>
    child.run({ key: 'a', inputs: [new Float32Array(ITEM * batchSize).fill(value)], batchSize })
  return { child, output, warnings, load, run }
}

describe('the engine process of cuda', () => {
  it('has told TensorFlow of its GPU and memory before its library is loaded', async () => {
    vi.stubEnv('CUDA_VISIBLE_DEVICES', '0,1,2')
    const addon = installAddon(true)
    await open(addon, { device: '1', memoryLimitMb: 2048 })
    expect(addon.environments()[0]).toMatchObject({
      CUDA_VISIBLE_DEVICES: '1',
      TF_FORCE_GPU_ALLOW_GROWTH: 'true',
      TF_PER_DEVICE_MEMORY_LIMIT_MB: '2048',
    })
  })

  it('has run every allowed batch size once when a model is loaded, and pads batches up to them', async () => {
    const addon = installAddon(true)
    const { load, run } = await open(addon)
    await load([1, 2, FITS])
    expect(addon.inputs()).toEqual([1, 2, FITS].map((size) => size * ITEM))
    expect((await run(FITS - 1)).logits).toHaveLength((FITS - 1) * ITEM)
    expect(addon.inputs().at(-1)).toBe(FITS * ITEM)
  })

  it('halves what does not fit, says so, and answers all of it', async () => {
    const addon = installAddon(true)
    const { load, run, warnings } = await open(addon)
    await load([1, 2 * FITS])
    expect(addon.inputs().slice(1)).toEqual([2 * FITS, FITS, FITS].map((size) => size * ITEM))
    expect(warnings).toEqual([`a: the device is out of memory; batches are limited to ${FITS} inputs from now on`])
    expect((await run(2 * FITS)).logits).toEqual(new Float32Array(2 * FITS * ITEM).fill(2))
  })

  it('ends when the device is lost, and says why: its parent starts another', async () => {
    const { child, output, load, run } = await open(installAddon(true))
    await load([1])
    await expect(run(1, -1)).rejects.toMatchObject({ code: 'engine_unavailable' })
    expect(await child.exited).toBe('exit code 74')
    await eventually(() => expect(output.join('\n')).toContain('CUDA_ERROR_ILLEGAL_ADDRESS'))
  })

  it('leaves no weights behind when it is let go of while a model is being loaded', async () => {
    const addon = installAddon(true)
    addon.hang()
    const place = temporaryFolder()
    vi.stubEnv('TMPDIR', place)
    const models = () => readdirSync(place).filter((name) => name.startsWith('resnet-serve-'))
    const { child, load } = await open(addon)
    const loading = load([1]).catch((error) => error)
    await eventually(() => expect(models()).toHaveLength(1))
    await child.stop()
    expect(await loading).toMatchObject({ code: 'engine_unavailable' })
    expect(models()).toEqual([])
  })
})

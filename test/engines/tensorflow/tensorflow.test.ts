import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { openCuda, openTensorflow } from '../../../src/engines/tensorflow/tensorflow.ts'
import { loadGraph } from '../../../src/repository/load-graph.ts'
import { smallFixture } from '../../helpers/parity-fixtures.ts'
import { installAddon } from './fake-addon.ts'

/** Opening an engine sets what TensorFlow reads from this process's environment. */
beforeEach(() => vi.stubEnv('CUDA_VISIBLE_DEVICES', undefined))
afterEach(() => vi.unstubAllEnvs())

describe('the engines on native TensorFlow', () => {
  it('run the graph as one session call, and hold no tensor afterwards', async () => {
    const { options, live } = installAddon(true)
    const engine = await openCuda(options)
    const graph = await engine.compile(loadGraph(smallFixture().entry))
    const held = await live()
    const { logits, embedding } = await graph.run({ input: Float32Array.of(1, 2, 3), batchSize: 1 })
    expect([...logits]).toEqual([2, 4, 6])
    expect(embedding[0]).toBeGreaterThan(1000)
    await expect(graph.run({ input: new Float32Array(5000), batchSize: 1 })).rejects.toThrow('OOM')
    expect(await live()).toBe(held)
    await graph.dispose()
    expect(await live()).toBe(0)
  })

  it('say which library and which device they have', async () => {
    const { options } = installAddon(true)
    const { name, details } = await openCuda(options)
    expect({ name, ...details }).toEqual({
      name: 'cuda',
      library: '@tensorflow/tfjs-node-gpu',
      version: '4.22.0',
      tensorflow: '2.21.0',
      device: 'gpu',
    })
  })

  it('pad batches on a GPU, where a new size is slow, and not on the CPU', async () => {
    const { options } = installAddon(true)
    expect((await openCuda(options)).fixedBatchSizes).toBe(true)
    expect((await openTensorflow(options)).fixedBatchSizes).toBe(false)
  })

  it('refuse to be cuda without a GPU that TensorFlow sees, and say what to do', async () => {
    const { options } = installAddon(false)
    await expect(openCuda(options)).rejects.toThrow('sees no GPU; resnet-serve doctor --gpu says why')
    expect((await openTensorflow(options)).name).toBe('tensorflow')
  })

  it('see no GPU as tensorflow, though there be one', async () => {
    const { options, environments } = installAddon(true)
    await openTensorflow({ ...options, gpu: { device: '0' } })
    expect(environments()[0]?.CUDA_VISIBLE_DEVICES).toBe('-1')
  })

  it('take the package without CUDA for the CPU, never for cuda', async () => {
    const { options } = installAddon(false, '@tensorflow/tfjs-node')
    expect((await openTensorflow(options)).details.library).toBe('@tensorflow/tfjs-node')
    await expect(openCuda(options)).rejects.toThrow('@tensorflow/tfjs-node-gpu is not installed')
  })

  it('tell an addon that is not there from one that does not load', async () => {
    const { options } = installAddon(
      true,
      '@tensorflow/tfjs-node-gpu',
      `throw new Error('libtensorflow.so.2: cannot open shared object file\\nmore')`,
    )
    await expect(openCuda(options)).rejects.toThrow(
      '@tensorflow/tfjs-node-gpu does not load: libtensorflow.so.2: cannot open shared object file',
    )
  })

  it('tell a package that is not there from one that lacks another', async () => {
    const { options } = installAddon(true, '@tensorflow/tfjs-node-gpu', `require('@tensorflow/nowhere')`)
    await expect(openCuda(options)).rejects.toThrow(
      "@tensorflow/tfjs-node-gpu does not load: Cannot find module '@tensorflow/nowhere'",
    )
  })

  it('compute in fp32 unless fp16 or, on the CPU, bf16 is asked for, and refuse the rest', async () => {
    const { options } = installAddon(true)
    const precisionOf = async (precision: 'auto' | 'fp32' | 'fp16') =>
      (await (await openCuda({ ...options, precision })).compile(loadGraph(smallFixture().entry))).precision
    expect([await precisionOf('auto'), await precisionOf('fp32'), await precisionOf('fp16')]).toEqual([
      'fp32',
      'fp32',
      'fp16',
    ])
    for (const precision of ['int8', 'bf16'] as const) {
      await expect(openCuda({ ...options, precision })).rejects.toThrow(`PRECISION=${precision}: cuda computes in`)
    }
    await expect(openTensorflow({ ...options, precision: 'int8' })).rejects.toThrow('fp32, fp16 or bf16')
    const onCpu = await openTensorflow({ ...options, precision: 'bf16' })
    expect((await onCpu.compile(loadGraph(smallFixture().entry))).precision).toBe('bf16')
  })
})

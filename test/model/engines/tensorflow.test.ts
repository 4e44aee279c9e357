import { describe, expect, it } from 'vitest'
import { openCuda, openTensorflow } from '../../../src/model/engines/tensorflow.ts'
import { loadGraph } from '../../../src/model/load-graph.ts'
import { smallFixture } from '../parity-fixtures.ts'
import { temporaryFolder } from '../temporary-folder.ts'

/** A package that says it is TensorFlow, counts its tensors and doubles what it is given. */
const ADDON = (gpu: boolean) => `
const { readFileSync } = require('node:fs')
let live = 0
const tensor = (values) => { live++; return { values, dataSync: () => values, dispose() { live-- } } }
module.exports = {
  version: { 'tfjs-node': '4.22.0' },
  live: () => live,
  backend: () => ({ isUsingGpuDevice: ${gpu}, binding: { TF_Version: '2.21.0' } }),
  scalar: (bytes, dtype) => { if (dtype !== 'string') throw new Error(dtype); return tensor(bytes) },
  node: {
    async loadSavedModel(path) {
      const size = readFileSync(path + '/saved_model.pb').length
      live++
      return {
        predict({ input }) {
          const floats = new Float32Array(new Uint8Array(input.values).buffer)
          if (floats[0] === -1) throw new Error('OOM when allocating')
          return { logits: tensor(floats.map((v) => 2 * v)), embedding: tensor(Float32Array.of(size)) }
        },
        dispose() { live-- },
      }
    },
  },
}`

function install(addon: string, name = '@tensorflow/tfjs-node-gpu') {
  const tensorflowDir = temporaryFolder({
    [`node_modules/${name}/package.json`]: JSON.stringify({ name, main: 'index.js' }),
    [`node_modules/${name}/index.js`]: addon,
  })
  const options = { threads: 1, precision: 'auto', tensorflowDir } as const
  const live = async (): Promise<number> =>
    (await import(`${tensorflowDir}/node_modules/${name}/index.js`)).default.live()
  return { options, live }
}

describe('the engines on native TensorFlow', () => {
  it('run the graph as one session call, and hold no tensor afterwards', async () => {
    const { options, live } = install(ADDON(true))
    const engine = await openCuda(options)
    const graph = await engine.compile(loadGraph(smallFixture().entry))
    const held = await live()
    const { logits, embedding } = await graph.run(Float32Array.of(1, 2, 3), 1)
    expect([...logits]).toEqual([2, 4, 6])
    expect(embedding[0]).toBeGreaterThan(1000)
    await expect(graph.run(Float32Array.of(-1), 1)).rejects.toThrow('OOM')
    expect(await live()).toBe(held)
    await graph.dispose()
    expect(await live()).toBe(0)
  })

  it('say which library and which device they have', async () => {
    const { options } = install(ADDON(true))
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
    const { options } = install(ADDON(true))
    expect((await openCuda(options)).fixedBatchSizes).toBe(true)
    expect((await openTensorflow(options)).fixedBatchSizes).toBe(false)
  })

  it('refuse to be cuda without a GPU that TensorFlow sees, and say what to do', async () => {
    const { options } = install(ADDON(false))
    await expect(openCuda(options)).rejects.toThrow('sees no GPU; resnet-serve doctor --gpu says why')
    expect((await openTensorflow(options)).name).toBe('tensorflow')
  })

  it('take the package without CUDA for the CPU, never for cuda', async () => {
    const { options } = install(ADDON(false), '@tensorflow/tfjs-node')
    expect((await openTensorflow(options)).details.library).toBe('@tensorflow/tfjs-node')
    await expect(openCuda(options)).rejects.toThrow('@tensorflow/tfjs-node-gpu is not installed')
  })

  it('tell an addon that is not there from one that does not load', async () => {
    const { options } = install(`throw new Error('libtensorflow.so.2: cannot open shared object file\\nmore')`)
    await expect(openCuda(options)).rejects.toThrow(
      '@tensorflow/tfjs-node-gpu does not load: libtensorflow.so.2: cannot open shared object file',
    )
  })

  it('compute in fp32 unless fp16 is asked for, and refuse int8', async () => {
    const { options } = install(ADDON(true))
    const precisionOf = async (precision: 'auto' | 'fp32' | 'fp16') =>
      (await (await openCuda({ ...options, precision })).compile(loadGraph(smallFixture().entry))).precision
    expect([await precisionOf('auto'), await precisionOf('fp32'), await precisionOf('fp16')]).toEqual([
      'fp32',
      'fp32',
      'fp16',
    ])
    await expect(openCuda({ ...options, precision: 'int8' })).rejects.toThrow('fp32 or fp16')
    await expect(openTensorflow({ ...options, precision: 'int8' })).rejects.toThrow('fp32 or fp16')
  })
})

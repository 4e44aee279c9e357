import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { EngineOptions } from '../../../src/engines/engine.ts'
import { temporaryFolder } from '../../helpers/temporary-folder.ts'

/**
 * A package that says it is TensorFlow, counts its tensors and doubles what it is given. Its device holds 4096 floats at
 * the most and breaks at the input -1. It writes down the environment it was loaded in and the length of every input.
 */
const ADDON = (gpu: boolean) => `
const { appendFileSync, existsSync, readFileSync } = require('node:fs')
const note = (what) => appendFileSync(__dirname + '/notes', JSON.stringify(what) + '\\n')
note(process.env)
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
      if (existsSync(__dirname + '/hangs')) await new Promise(() => {})
      live++
      return {
        predict({ input }) {
          const floats = new Float32Array(new Uint8Array(input.values).buffer)
          note(floats.length)
          if (floats.length > 4096) throw new Error('OOM when allocating tensor')
          if (floats[0] === -1) throw new Error('CUDA_ERROR_ILLEGAL_ADDRESS: an illegal memory access was encountered')
          return { logits: tensor(floats.map((v) => 2 * v)), embedding: tensor(Float32Array.of(size)) }
        },
        dispose() { live-- },
      }
    },
  },
}`

export interface FakeAddon {
  options: EngineOptions
  /** Tensors that it holds in this process. */
  live(): Promise<number>
  /** The environments it was loaded in. */
  environments(): NodeJS.ProcessEnv[]
  /** The lengths of the inputs it was run on, in order. */
  inputs(): number[]
  /** From here on, loading a model never ends. */
  hang(): void
}

export function installAddon(gpu: boolean, name = '@tensorflow/tfjs-node-gpu', source = ADDON(gpu)): FakeAddon {
  const tensorflowDir = temporaryFolder({
    [`node_modules/${name}/package.json`]: JSON.stringify({ name, main: 'index.js' }),
    [`node_modules/${name}/index.js`]: source,
  })
  const folder = join(tensorflowDir, 'node_modules', name)
  const notes = (): unknown[] => {
    if (!existsSync(join(folder, 'notes'))) return []
    const lines = readFileSync(join(folder, 'notes'), 'utf8').trim().split('\n')
    return lines.map((line) => JSON.parse(line))
  }
  return {
    options: { threads: 1, precision: 'auto', tensorflowDir },
    live: async () => (await import(join(folder, 'index.js'))).default.live(),
    environments: () => notes().filter((note): note is NodeJS.ProcessEnv => typeof note === 'object'),
    inputs: () => notes().filter((note) => typeof note === 'number'),
    hang: () => writeFileSync(join(folder, 'hangs'), ''),
  }
}

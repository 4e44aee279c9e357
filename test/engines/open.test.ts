import { createRequire } from 'node:module'
import { describe, expect, it } from 'vitest'
import { ENGINE_NAMES, type Engine, type EngineName, type OpenEngine } from '../../src/engines/engine.ts'
import { openEngine } from '../../src/engines/open.ts'

const OPTIONS = { threads: 3, precision: 'auto', tensorflowDir: '/nowhere' } as const

/** Openers of which only those named work; the rest say why not. Remembers who was asked, and with what. */
function openers(working: EngineName[]) {
  const asked: [EngineName, unknown][] = []
  const opener = (name: EngineName) => async (): Promise<OpenEngine> => async (options) => {
    asked.push([name, options])
    if (!working.includes(name)) throw new Error(`${name} is broken`)
    return { name } as Engine
  }
  const all = Object.fromEntries(ENGINE_NAMES.map((name) => [name, opener(name)]))
  return { asked, all: all as Record<EngineName, () => Promise<OpenEngine>> }
}

describe('openEngine', () => {
  it('opens the first that works of cuda, onnx and wasm, and says why the others were passed over', async () => {
    const { all, asked } = openers(['wasm', 'tensorflow'])
    const { engine, passedOver } = await openEngine('auto', OPTIONS, all)
    expect(engine.name).toBe('wasm')
    expect(passedOver).toEqual([
      { engine: 'cuda', reason: 'cuda is broken' },
      { engine: 'onnx', reason: 'onnx is broken' },
    ])
    expect(asked.map(([name]) => name)).toEqual(['cuda', 'onnx', 'wasm'])
  })

  it('asks no further than the first that works, and hands it the options', async () => {
    const { all, asked } = openers(['cuda', 'onnx', 'wasm'])
    expect(await openEngine('auto', OPTIONS, all)).toMatchObject({ engine: { name: 'cuda' }, passedOver: [] })
    expect(asked).toEqual([['cuda', OPTIONS]])
  })

  it('fails with every reason when none works', async () => {
    await expect(openEngine('auto', OPTIONS, openers([]).all)).rejects.toThrow(
      'no engine runs here: cuda: cuda is broken; onnx: onnx is broken; wasm: wasm is broken',
    )
  })

  it.each(ENGINE_NAMES)('never replaces %s, asked for by name, with another', async (name) => {
    const { all, asked } = openers(ENGINE_NAMES.filter((other) => other !== name))
    await expect(openEngine(name, OPTIONS, all)).rejects.toThrow(
      `ENGINE=${name} cannot run here: ${name}: ${name} is broken`,
    )
    expect(asked).toHaveLength(1)
  })

  it('counts a module that does not load as an engine that does not run', async () => {
    const { all } = openers(['wasm'])
    all.onnx = () => Promise.reject(new Error('libonnxruntime.so is missing'))
    const { passedOver } = await openEngine('auto', OPTIONS, all)
    expect(passedOver[1]).toEqual({ engine: 'onnx', reason: 'libonnxruntime.so is missing' })
  })
})

describe.skipIf(installed('@tensorflow/tfjs-node-gpu'))('without @tensorflow/tfjs-node-gpu', () => {
  it.each(['cuda', 'tensorflow'] as const)('%s says that the package is not installed', async (name) => {
    await expect(openEngine(name, OPTIONS)).rejects.toThrow(
      `ENGINE=${name} cannot run here: ${name}: @tensorflow/tfjs-node-gpu is not installed`,
    )
  })

  it('auto runs on the CPU, and says why not on CUDA', async () => {
    const { engine, passedOver } = await openEngine('auto', OPTIONS)
    expect(engine).toMatchObject({ name: 'onnx', details: { library: 'onnxruntime-node', device: 'cpu', threads: 3 } })
    expect(passedOver).toEqual([{ engine: 'cuda', reason: '@tensorflow/tfjs-node-gpu is not installed' }])
  })
})

function installed(name: string): boolean {
  try {
    createRequire(import.meta.url).resolve(name)
    return true
  } catch {
    return false
  }
}

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { examineEngine } from '../../../src/cli/doctor/engines.ts'
import { trials } from '../../../src/cli/doctor/examine.ts'
import type { EngineName, EngineOptions } from '../../../src/engines/engine.ts'
import { ENGINE_PROCESS } from '../../helpers/built.ts'
import { smallFixture } from '../../helpers/parity-fixtures.ts'
import { temporaryFolder } from '../../helpers/temporary-folder.ts'
import { DOUBLE } from '../../workers/processes.ts'

const { entry } = smallFixture()
const read = (name: string) => readFileSync(join(entry.directory, name))

/** The small model, with PyTorch's answers as its reference or with those given. */
function modelWithReference(reference: Buffer) {
  const files = { 'weights.safetensors': read('weights.safetensors'), 'reference.safetensors': reference }
  return { ...entry, directory: temporaryFolder(files) }
}

function tryEngine(engine: EngineName, options: Partial<EngineOptions> = {}, model = entry, module = ENGINE_PROCESS) {
  const base: EngineOptions = { threads: 1, precision: 'fp32', tensorflowDir: '/nowhere' }
  return examineEngine(engine, { ...base, ...options }, model, { benchMs: 1, module })
}

describe('trials', () => {
  it('are one of each engine, and of cuda one per GPU, as the server deals them out', () => {
    expect(trials(['cuda', 'onnx'], ['0', '1'])).toEqual([
      { engine: 'cuda', device: '0' },
      { engine: 'cuda', device: '1' },
      { engine: 'onnx' },
    ])
    expect(trials(['cuda', 'onnx'], [])).toEqual([{ engine: 'cuda' }, { engine: 'onnx' }])
  })
})

describe('examineEngine', () => {
  it('holds the engine to the reference and times it', async () => {
    const report = await tryEngine('onnx', {}, modelWithReference(read('expected.safetensors')))
    expect(report).toMatchObject({ engine: 'onnx', works: true, precision: 'fp32' })
    expect(report.error).toBeUndefined()
    expect(report.self_test?.largest_relative_difference).toBeLessThanOrEqual(1e-3)
    expect(report.self_test?.embedding_cosine).toBeGreaterThan(0.9999)
    expect(Object.keys(report.bench ?? {})).toEqual(['1', '8', '32'])
    expect(Math.min(...Object.values(report.bench ?? {}))).toBeGreaterThan(0)
  })

  it('does not call working what answers differently', async () => {
    const reference = read('expected.safetensors')
    // The last four bytes are the last value of the last tensor.
    reference.writeFloatLE(1000, reference.length - 4)
    const report = await tryEngine('onnx', {}, modelWithReference(reference))
    expect(report.works).toBe(false)
    expect(report.error).toBe('its answers differ from the reference')
  })

  it('works without a reference, and does not claim to have compared', async () => {
    const report = await tryEngine('onnx')
    expect(report.works).toBe(true)
    expect(report.self_test).toBeUndefined()
  })

  it('says why an engine does not open, in its words', async () => {
    const report = await tryEngine('wasm', { precision: 'int8' })
    expect(report).toEqual({ engine: 'wasm', works: false, error: 'PRECISION=int8: wasm computes in fp32' })
  })

  it('tries it on the one GPU that is named', async () => {
    const report = await tryEngine('cuda', { gpu: { device: '3' } }, entry, DOUBLE)
    expect(report).toMatchObject({ engine: 'cuda', gpu: '3', works: true, details: { device: '3' } })
  })

  it('outlives an engine that crashes', async () => {
    const report = await tryEngine('onnx', {}, entry, DOUBLE)
    expect(report.works).toBe(false)
    expect(report.error).toMatch(/^its process ended: exit code 7\nthe double is open$/)
  })
})

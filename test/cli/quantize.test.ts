import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, vi } from 'vitest'
import { quantize } from '../../src/cli/quantize.ts'
import { parseManifest } from '../../src/repository/manifest.ts'
import { smallFixture } from '../helpers/parity-fixtures.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'

/** A copy of the small fixture, and its inputs in one folder per class. */
function setUp(files: Record<string, string | Uint8Array> = {}) {
  const { entry, input } = smallFixture()
  const read = (name: string): Buffer => readFileSync(join(entry.directory, name))
  const bytes = Buffer.from(input.buffer, input.byteOffset, input.byteLength)
  const folder = temporaryFolder({
    'model/model.json': read('model.json'),
    'model/weights.safetensors': read('weights.safetensors'),
    'samples/0/inputs.f32': bytes,
    'samples/1/inputs.f32': bytes,
    ...files,
  })
  const model = join(folder, 'model')
  return {
    folder,
    model,
    samples: join(folder, 'samples'),
    json: () => readFileSync(join(model, 'model.json'), 'utf8'),
  }
}

async function run(...args: string[]): Promise<string> {
  let printed = ''
  const spy = vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    printed += String(text)
    return true
  })
  const command = quantize()
    .exitOverride()
    .configureOutput({ writeErr: () => {} })
  try {
    await command.parseAsync(args, { from: 'user' })
  } finally {
    spy.mockRestore()
  }
  return printed
}

describe('resnet-serve quantize', () => {
  it('writes scales into model.json and changes nothing else in it', async () => {
    const { model, samples, json } = setUp()
    const before = json()
    await run(model, '--calibration', samples, '--threads', '1')
    const { quantization } = parseManifest(json())
    expect(Object.keys(quantization?.activations ?? {})).toContain('layer4.1.conv2')
    expect(quantization?.report).toMatchObject({ calibration_samples: 4, evaluation: { samples: 2 } })
    const { quantization: _, ...rest } = JSON.parse(json())
    expect(rest).toEqual(JSON.parse(before))
    expect(json().startsWith(before.slice(0, before.lastIndexOf('}')).trimEnd())).toBe(true)
  })

  it('reports the error of each layer, the cosines, and how many either precision gets right', async () => {
    const { model, samples } = setUp()
    // No layer goes back to fp32.
    const given = ['--calibration', samples, '--evaluate', samples, '--min-cosine', '0', '--threads', '1']
    const report = await run(model, ...given)
    expect(report).toMatch(/^ {2}layer3\.0\.conv1 +\d+\.\d\d %$/m)
    expect(report).toContain('6 samples to choose ranges, 6 others to measure:')
    expect(report).toMatch(/cosine mean \d\.\d{6}, least \d\.\d{6}/)
    expect(report).toMatch(/right of 6: fp32 \d+\.\d\d %, int8 \d+\.\d\d %/)
    expect(report).toMatch(/in fp32: no node$/m)
    const kept = await run(model, ...given, '--fp32', 'conv1')
    expect(kept).toMatch(/^ {2}conv1 +\d+\.\d\d % {2}kept in fp32$/m)
    expect(kept).toMatch(/in fp32: conv1$/m)
  })

  it('writes nothing with --dry-run', async () => {
    const { model, samples, json } = setUp()
    const before = json()
    expect(await run(model, '--calibration', samples, '--dry-run', '--threads', '1')).not.toContain('written')
    expect(json()).toBe(before)
  })

  it('uses no more samples than it is told to', async () => {
    const { model, samples, json } = setUp()
    const few = ['--samples', '2', '--min-cosine', '0', '--threads', '1']
    await run(model, '--calibration', samples, '--evaluate', samples, ...few)
    expect(parseManifest(json()).quantization?.report).toMatchObject({ calibration_samples: 2 })
  })

  it('says what is wrong, names the file, and leaves model.json alone', async () => {
    const { folder, model, samples, json } = setUp({ 'odd/x.f32': new Uint8Array(8), 'text/notes.txt': 'hello' })
    const before = json()
    const failing = (...args: string[]) => expect(run(model, ...args, '--threads', '1')).rejects
    await failing().toThrow("required option '--calibration <dir>' not specified")
    await failing('--calibration', join(folder, 'none')).toThrow(/none does not exist$/)
    await failing('--calibration', join(folder, 'odd')).toThrow(/x\.f32: the body has 8 bytes/)
    await failing('--calibration', join(folder, 'text')).toThrow(/notes\.txt: the bytes are not an image/)
    await failing('--calibration', samples, '--samples', '0').toThrow(/a whole number from 1/)
    await failing('--calibration', samples, '--min-cosine', '2').toThrow(/a number from 0 to 1/)
    await expect(run(folder, '--calibration', samples)).rejects.toThrow(/has no model\.json$/)
    expect(json()).toBe(before)
  })
})

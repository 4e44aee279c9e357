import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, vi } from 'vitest'
import { importCommand } from '../../src/cli/import.ts'
import { loadGraph } from '../../src/repository/load-graph.ts'
import { parseManifest } from '../../src/repository/manifest.ts'
import { readRepository } from '../../src/repository/repository.ts'
import { libraryCheckpoint, libraryNames } from '../helpers/library-checkpoints.ts'
import { FIXTURE_BATCH, parityRoot, readParityFixture } from '../helpers/parity-fixtures.ts'
import { writeSafetensors } from '../helpers/safetensors.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'

async function run(...args: string[]): Promise<string> {
  let printed = ''
  const spy = vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    printed += String(text)
    return true
  })
  try {
    await importCommand()
      .exitOverride()
      .configureOutput({ writeErr: () => {} })
      .parseAsync(args, { from: 'user' })
  } finally {
    spy.mockRestore()
  }
  return printed
}

/** A checkpoint of the library's, its answers to check against, and an empty repository. */
function setUp(name: string, prefix = '') {
  const folder = temporaryFolder({ 'saved.bin': libraryCheckpoint(name, prefix) })
  return {
    folder,
    file: join(folder, 'saved.bin'),
    check: join(parityRoot, name, 'expected.safetensors'),
    repository: join(folder, 'models'),
  }
}

describe('resnet-serve import', () => {
  it('prints nothing that a terminal would act on, whatever a file calls its tensors', async () => {
    const clears = '\u001b[2J'
    const { file, repository } = setUp('torchvision-basic', `a${clears}.`)
    const printed = await run(file, '--name', 'photos', '--repository', repository, '--dry-run')
    expect(printed).toMatch(/under a\?\[2J\./)
    expect(printed).not.toContain(clears)
  })

  it.each(libraryNames)('makes a model that answers as the library does: %s', async (name) => {
    const { file, check, repository } = setUp(name)
    const printed = await run(file, '--name', 'photos', '--repository', repository, '--check', check)
    expect(printed).toMatch(/answers as PyTorch did/)
    const [entry] = await readRepository(repository)
    expect(entry?.manifest.architecture).toEqual(readParityFixture(name).entry.manifest.architecture)
    expect(entry && loadGraph(entry).outputs.embedding).toBeDefined()
    expect(existsSync(join(repository, 'photos', '1', 'reference.safetensors'))).toBe(true)
  })

  it('takes the defaults, says which, and how to settle them, where nothing tells', async () => {
    const { file, repository } = setUp('transformers-v1')
    const printed = await run(file, '--name', 'photos', '--repository', repository, '--size', '32x32')
    expect(printed).toMatch(/stride-on +3x3 +default; else --stride-on 1x1/)
    expect(printed).toMatch(/torch\.randn\(4, 3, 32, 32\)/)
    expect(printed).toMatch(/DEFAULT_MODEL=photos npm start/)
  })

  it('finds the ResNet under a prefix', async () => {
    const { file, repository } = setUp('torchvision-basic', 'module.backbone.')
    await run(file, '--name', 'photos', '--repository', repository, '--size', '32x32')
    const manifest = parseManifest(readFileSync(join(repository, 'photos/1/model.json'), 'utf8'))
    expect(manifest.provenance).toMatchObject({ prefix: 'module.backbone.' })
  })

  it('refuses a model that does not answer as PyTorch did, and leaves nothing behind', async () => {
    const { folder, file, repository } = setUp('torchvision-basic')
    const { input, entry } = readParityFixture('torchvision-basic')
    const { inChannels, numClasses } = entry.manifest.architecture
    const { height, width } = entry.manifest.input
    const wrong = writeSafetensors(
      [
        ['input', { shape: [FIXTURE_BATCH, inChannels, height, width], data: input }],
        ['logits', { shape: [FIXTURE_BATCH, numClasses], data: new Float32Array(FIXTURE_BATCH * numClasses).fill(1) }],
      ],
      'F32',
    )
    const { writeFileSync } = await import('node:fs')
    writeFileSync(join(folder, 'wrong.safetensors'), wrong)
    const importing = run(
      file,
      '--name',
      'photos',
      '--repository',
      repository,
      '--check',
      join(folder, 'wrong.safetensors'),
    )
    await expect(importing).rejects.toThrow(/--check: the model must answer as PyTorch did/)
    expect(readdirSync(join(repository, 'photos'))).toEqual([])
  })

  it('replaces a version only when told to', async () => {
    const { file, repository } = setUp('torchvision-basic')
    const args = [file, '--name', 'photos', '--repository', repository, '--size', '32x32']
    await run(...args)
    await expect(run(...args)).rejects.toThrow(/photos\/1 exists: --force replaces it, --version gives another/)
    await run(...args, '--force')
    await run(...args, '--version', '2')
    expect(readdirSync(join(repository, 'photos')).sort()).toEqual(['1', '2'])
  })

  it('writes nothing on a dry run, and prints JSON on demand', async () => {
    const { file, repository } = setUp('torchvision-wide')
    const printed = await run(file, '--name', 'photos', '--repository', repository, '--dry-run', '--json')
    expect(JSON.parse(printed)).toMatchObject({ format: 'safetensors', architecture: { base_width: 128 }, prefix: '' })
    expect(existsSync(repository)).toBe(false)
  })

  it.each([
    ['a name that is no name', ['--name', '../x'], /--name "\.\.\/x"/],
    ['a size that is none', ['--name', 'x', '--size', '224'], /height and width are needed/],
    [
      'a choice that there is not',
      ['--name', 'x', '--stride-on', '1x1'],
      /--stride-on: the checkpoint leaves no such choice/,
    ],
    ['labels of another number', ['--name', 'x', '--labels', 'package.json'], /labels/],
  ])('refuses %s', async (_, args, message) => {
    const { file, repository } = setUp('torchvision-basic')
    await expect(run(file, '--repository', repository, ...args)).rejects.toThrow(message)
  })
})

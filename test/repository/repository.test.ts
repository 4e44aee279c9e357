import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { compareVersions, readRepository, scanRepository } from '../../src/repository/repository.ts'
import { manifestJson } from '../helpers/manifests.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'

const model = (name: string, version: string): string => JSON.stringify(manifestJson({ name, version }))

const found = async (root: string): Promise<string[]> =>
  (await readRepository(root)).map(({ manifest }) => `${manifest.name}/${manifest.version}`)

async function warned(root: string): Promise<string[]> {
  const messages: string[] = []
  await readRepository(root, (message) => messages.push(message))
  return messages
}

describe('readRepository', () => {
  it('finds every version of every model', async () => {
    const root = temporaryFolder({
      'digits/2/model.json': model('digits', '2'),
      'digits/1/model.json': model('digits', '1'),
      'birds/v1.0/model.json': model('birds', 'v1.0'),
    })
    expect(await found(root)).toEqual(['birds/v1.0', 'digits/1', 'digits/2'])
    expect((await readRepository(root))[0]?.directory).toBe(join(root, 'birds/v1.0'))
  })

  it('passes over stray files and hidden folders', async () => {
    const root = temporaryFolder({
      'README.md': 'models',
      'digits/notes.txt': 'notes',
      'digits/.cache/model.json': 'not one',
      '..data/x/model.json': 'not one',
      'lost+found/x/model.json': 'not one',
      'digits/1/model.json': model('digits', '1'),
    })
    symlinkSync(join(root, 'README.md'), join(root, 'LICENSE'))
    expect(await found(root)).toEqual(['digits/1'])
  })

  it('follows links to folders, as volume mounts have them', async () => {
    const root = temporaryFolder({ '..data/1/model.json': model('digits', '1') })
    symlinkSync(join(root, '..data'), join(root, 'digits'))
    expect(await found(root)).toEqual(['digits/1'])
  })

  it('passes over links that lead nowhere, and says so', async () => {
    const root = temporaryFolder({ 'digits/1/model.json': model('digits', '1') })
    symlinkSync(join(root, 'nowhere'), join(root, 'birds'))
    symlinkSync(join(root, 'nowhere'), join(root, 'digits/2'))
    symlinkSync(join(root, 'digits/3'), join(root, 'digits/3'))
    expect(await warned(root)).toEqual(
      ['birds', 'digits/2', 'digits/3'].map((path) => expect.stringContaining(`${join(root, path)} is a link`)),
    )
    expect(await found(root)).toEqual(['digits/1'])
  })

  it.each<[string, Record<string, string>, string]>([
    [
      'what macOS puts into a zip',
      { '__MACOSX/digits/1/._model.json': 'Mac', '__MACOSX/digits/._1': 'Mac' },
      '__MACOSX/digits',
    ],
    ['notes beside versions', { 'digits/notes/README.md': 'notes' }, 'digits/notes'],
    ['an empty version', { 'digits/2/.keep': '' }, 'digits/2'],
    ['a project of another kind', { 'scripts/src/main.py': '' }, 'scripts/src'],
  ])('passes over a folder without any model.json, and says so: %s', async (_, files, path) => {
    const root = temporaryFolder({ 'digits/1/model.json': model('digits', '1'), ...files })
    expect(await warned(root)).toEqual([`${join(root, path)} has no model.json and is passed over`])
    expect(await found(root)).toEqual(['digits/1'])
  })

  it.each<[string, Record<string, string>, string]>([
    ['a broken model.json', { 'digits/2/model.json': '{' }, 'digits/2/model.json: not JSON'],
    ['weights without a model.json', { 'digits/2/weights.safetensors': '' }, 'digits/2/model.json: ENOENT'],
    ['another name', { 'digits/2/model.json': model('birds', '2') }, 'says birds/2, the folder says digits/2'],
    ['another version', { 'digits/2/model.json': model('digits', '3') }, 'says digits/3, the folder says digits/2'],
  ])('refuses the repository when one folder has %s', async (_, files, reason) => {
    const root = temporaryFolder({ 'digits/1/model.json': model('digits', '1'), ...files })
    await expect(readRepository(root)).rejects.toThrow(reason)
  })

  it('refuses a repository that is empty, or not there', async () => {
    const root = temporaryFolder()
    mkdirSync(join(root, 'digits'))
    await expect(readRepository(root)).rejects.toThrow('no <name>/<version>/model.json under')
    await expect(readRepository(join(root, 'nowhere'))).rejects.toThrow('cannot read the model repository')
  })
})

describe('scanRepository', () => {
  it('finds broken versions too, and says what is wrong with them', async () => {
    const root = temporaryFolder({ 'digits/1/model.json': model('digits', '1'), 'digits/2/model.json': '{' })
    expect(await scanRepository(root)).toMatchObject([
      { name: 'digits', version: '1', entry: { manifest: { version: '1' } } },
      { name: 'digits', version: '2', entry: { message: expect.stringContaining('digits/2/model.json: not JSON') } },
    ])
  })

  it('has another fingerprint of a version when one of its files has changed, and the same when none has', async () => {
    const root = temporaryFolder({ 'digits/1/model.json': model('digits', '1'), 'digits/2/model.json': '{' })
    const fingerprints = async () => (await scanRepository(root)).map(({ fingerprint }) => fingerprint)
    const before = await fingerprints()
    expect(await fingerprints()).toEqual(before)
    writeFileSync(join(root, 'digits/2/weights.safetensors'), 'a')
    const [first, second] = await fingerprints()
    expect(first).toBe(before[0])
    writeFileSync(join(root, 'digits/2/weights.safetensors'), 'ab')
    const [, third] = await fingerprints()
    expect(new Set([before[1], second, third]).size).toBe(3)
  })
})

it('orders versions by value, so 2 comes before 10', () => {
  expect(['10', '2', '1', 'v10', 'v9', '1.10', '1.9'].sort(compareVersions)).toEqual([
    '1',
    '1.9',
    '1.10',
    '2',
    '10',
    'v9',
    'v10',
  ])
})

it.each([
  [['1.0.0-rc1', '1.0.0-rc2', '1.0.0-rc10', '1.0.0', '1.0.1-alpha', '1.0.1']],
  [['1.0.0-1', '1.0.0-alpha', '1.0.0-alpha.1', '1.0.0-beta', '1.0.0']],
  [['v1.0.0-rc.1', 'v1.0.0', 'v1.1.0-preview', 'v1.1.0']],
  [['1.0.0.dev1', '1.0.0a1', '1.0.0rc1', '1.0.0', '1.0.0.post1']],
  [['1.0-rc1', '1.0', '1.9', '1.10-beta', '1.10', '2rc1', '2', '10']],
  [['2-beta.3', '2', '2.1']],
  // What only looks like one: a day, a second model of a day, a size, a revision.
  [['1', '1a', '1b', '2']],
  [['2026-09-30', '2026-10-01', '2026-10-01-2']],
  [['20261001', '20261001-2', '20261001-10']],
  [['1', '1-base', '1-large', '2']],
])('orders a pre-release before its release: %j', (versions) => {
  for (const shuffled of [versions.toReversed(), [...versions.slice(2), ...versions.slice(0, 2)]]) {
    expect(shuffled.sort(compareVersions)).toEqual(versions)
  }
})

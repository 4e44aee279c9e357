import { mkdirSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { compareVersions, readRepository } from '../../src/repository/repository.ts'
import { manifestJson } from '../helpers/manifests.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'

const model = (name: string, version: string): string => JSON.stringify(manifestJson({ name, version }))

const found = (root: string): string[] =>
  readRepository(root).map(({ manifest }) => `${manifest.name}/${manifest.version}`)

describe('readRepository', () => {
  it('finds every version of every model', () => {
    const root = temporaryFolder({
      'digits/2/model.json': model('digits', '2'),
      'digits/1/model.json': model('digits', '1'),
      'birds/v1.0/model.json': model('birds', 'v1.0'),
    })
    expect(found(root)).toEqual(['birds/v1.0', 'digits/1', 'digits/2'])
    expect(readRepository(root)[0]?.directory).toBe(join(root, 'birds/v1.0'))
  })

  it('passes over stray files and hidden folders', () => {
    const root = temporaryFolder({
      'README.md': 'models',
      'digits/notes.txt': 'notes',
      'digits/.cache/model.json': 'not one',
      '..data/x/model.json': 'not one',
      'lost+found/x/model.json': 'not one',
      'digits/1/model.json': model('digits', '1'),
    })
    symlinkSync(join(root, 'README.md'), join(root, 'LICENSE'))
    expect(found(root)).toEqual(['digits/1'])
  })

  it('follows links to folders, as volume mounts have them', () => {
    const root = temporaryFolder({ '..data/1/model.json': model('digits', '1') })
    symlinkSync(join(root, '..data'), join(root, 'digits'))
    expect(found(root)).toEqual(['digits/1'])
  })

  it('refuses a link that leads nowhere, since a model is missing', () => {
    const root = temporaryFolder({ 'digits/1/model.json': model('digits', '1') })
    symlinkSync(join(root, 'nowhere'), join(root, 'birds'))
    expect(() => readRepository(root)).toThrow(/cannot read the model repository: ENOENT.*birds/)
  })

  it.each<[string, Record<string, string>, string]>([
    ['a broken model.json', { 'digits/2/model.json': '{' }, 'digits/2/model.json: not JSON'],
    ['no model.json', { 'digits/2/weights.safetensors': '' }, 'digits/2/model.json: ENOENT'],
    ['another name', { 'digits/2/model.json': model('birds', '2') }, 'says birds/2, the folder says digits/2'],
    ['another version', { 'digits/2/model.json': model('digits', '3') }, 'says digits/3, the folder says digits/2'],
  ])('refuses the repository when one folder has %s', (_, files, reason) => {
    const root = temporaryFolder({ 'digits/1/model.json': model('digits', '1'), ...files })
    expect(() => readRepository(root)).toThrow(reason)
  })

  it('refuses a repository that is empty, or not there', () => {
    const root = temporaryFolder()
    mkdirSync(join(root, 'digits'))
    expect(() => readRepository(root)).toThrow('no <name>/<version>/model.json under')
    expect(() => readRepository(join(root, 'nowhere'))).toThrow('cannot read the model repository')
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

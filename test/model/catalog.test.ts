import { describe, expect, it } from 'vitest'
import { ModelCatalog } from '../../src/model/catalog.ts'
import { FakeModel } from '../helpers/fake-model.ts'

function catalog(defaultName: string | undefined, ...names: [string, string][]): ModelCatalog {
  const models = new ModelCatalog(defaultName)
  for (const [name, version] of names) models.add(new FakeModel({ name, version }))
  return models
}

function named(models: ModelCatalog, name?: string, version?: string): string {
  const found = models.get(name, version).manifest
  return `${found.name}/${found.version}`
}

const notFound = (message: string) => expect.objectContaining({ code: 'model_not_found', message })

describe('ModelCatalog', () => {
  it('gives the version asked for, and the highest where none is named', () => {
    const models = catalog(undefined, ['digits', '10'], ['digits', '2'])
    expect(named(models, 'digits', '2')).toBe('digits/2')
    expect(named(models, 'digits')).toBe('digits/10')
  })

  it('answers requests that name no model with the default, else with the first name', () => {
    expect(named(catalog('digits', ['digits', '1'], ['birds', '1']))).toBe('digits/1')
    expect(named(catalog(undefined, ['digits', '1'], ['birds', '1']))).toBe('birds/1')
  })

  it('gives the pinned version where none is named, and no other in its place', () => {
    const models = new ModelCatalog(undefined, new Map([['digits', '1']]))
    for (const version of ['1', '2']) models.add(new FakeModel({ name: 'digits', version }))
    expect([named(models, 'digits'), named(models), named(models, 'digits', '2')]).toEqual([
      'digits/1',
      'digits/1',
      'digits/2',
    ])
    models.remove('digits', '1')
    expect(() => models.get('digits', undefined)).toThrow(notFound('model digits has no version 1'))
  })

  it('forgets what is removed, and falls back to the version before it', () => {
    const models = catalog(undefined, ['digits', '1'], ['digits', '2'])
    models.remove('digits', '2')
    models.remove('digits', '9')
    expect(named(models, 'digits')).toBe('digits/1')
    models.remove('digits', '1')
    expect([models.list(), models.defaultName]).toEqual([[], undefined])
    expect(() => models.get('digits', undefined)).toThrow(notFound('no model digits'))
  })

  it.each([
    ['a model that is not there', 'fish', undefined, 'no model fish'],
    ['a version that is not there', 'digits', '3', 'model digits has no version 3'],
    ['a version of the default that is not there', undefined, '3', 'model digits has no version 3'],
    ['a name that every object has', '__proto__', undefined, 'no model __proto__'],
    ['a path', '../digits', undefined, 'no model ../digits'],
  ])('refuses %s', (_, name, version, message) => {
    const models = catalog('digits', ['digits', '1'])
    expect(() => models.get(name, version)).toThrow(notFound(message))
  })

  it('refuses while nothing is loaded', () => {
    expect(() => catalog('digits').get(undefined, undefined)).toThrow(notFound('no model is loaded'))
  })

  it('replaces a model that is added again', () => {
    const models = catalog(undefined, ['digits', '1'])
    const again = new FakeModel({ name: 'digits', version: '1' })
    models.add(again)
    expect(models.list()).toEqual([again])
  })

  it('lists the versions of a name, in ascending order', () => {
    const models = catalog(undefined, ['digits', '10'], ['digits', '9'], ['birds', '1'], ['digits', '2'])
    expect(models.versionsOf('digits')).toEqual(['2', '9', '10'])
    expect(models.versionsOf('fish')).toEqual([])
  })
})

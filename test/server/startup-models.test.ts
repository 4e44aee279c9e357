import { describe, expect, it } from 'vitest'
import type { FoundVersion } from '../../src/repository/repository.ts'
import { loadConfig } from '../../src/server/config.ts'
import { startupModels } from '../../src/server/startup-models.ts'
import { fakeManifest } from '../helpers/fake-model.ts'

const found = (id: string, entry?: Error): FoundVersion => {
  const [name = '', version = ''] = id.split('/')
  return {
    name,
    version,
    entry: entry ?? { directory: `/models/${id}`, manifest: fakeManifest({ name, version }) },
    fingerprint: '',
  }
}
const ON_DISK = [found('a/1'), found('a/2'), found('b/1'), found('broken/1', new Error('broken/1 is broken'))]

function choose(env: Record<string, string>, onDisk = ON_DISK) {
  const warnings: string[] = []
  const config = loadConfig({ MODEL_REPOSITORY: '/models', ...env })
  const chosen = startupModels(config, onDisk, (message) => warnings.push(message))
  return { chosen: chosen.map(({ name, version }) => `${name}/${version}`), warnings }
}

describe('startupModels', () => {
  it('takes the models and versions that are named, and all where none is', () => {
    expect(choose({ LOAD_MODELS: 'a' }).chosen).toEqual(['a/1', 'a/2'])
    expect(choose({ LOAD_MODELS: 'b, a:2' }).chosen).toEqual(['a/2', 'b/1'])
    expect(choose({}, ON_DISK.slice(0, 3)).chosen).toEqual(['a/1', 'a/2', 'b/1'])
  })

  it.each<[string, Record<string, string>, string]>([
    ['a broken model', {}, 'broken/1 is broken'],
    ['no model that LOAD_MODELS names', { LOAD_MODELS: 'fish' }, 'LOAD_MODELS is fish, which is not in /models'],
    ['no such version', { LOAD_MODELS: 'a:3' }, 'LOAD_MODELS is a:3, which'],
    ['no default model', { LOAD_MODELS: 'a', DEFAULT_MODEL: 'b' }, 'DEFAULT_MODEL is b, which'],
    ['no default version', { LOAD_MODELS: 'a:1', DEFAULT_VERSIONS: 'a:2' }, 'DEFAULT_VERSIONS is a:2, which'],
  ])('refuses a repository with %s, or without STRICT_STARTUP says so', (_, env, problem) => {
    expect(() => choose(env)).toThrow(problem)
    expect(choose({ ...env, STRICT_STARTUP: 'false' }).warnings).toEqual([expect.stringContaining(problem)])
  })

  it('starts with an empty repository only where it need not be strict', () => {
    expect(() => choose({}, [])).toThrow('no <name>/<version>/model.json under /models')
    expect(choose({ STRICT_STARTUP: 'false' }, []).chosen).toEqual([])
  })
})

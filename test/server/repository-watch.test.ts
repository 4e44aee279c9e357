import { describe, expect, it } from 'vitest'
import type { FoundVersion } from '../../src/repository/repository.ts'
import { watchRepository } from '../../src/server/repository-watch.ts'
import { FakeClock } from '../helpers/fake-clock.ts'
import { fakeManifest } from '../helpers/fake-model.ts'

const found = (version: string, fingerprint = 'files'): FoundVersion => ({
  name: 'a',
  version,
  entry: { directory: `/models/a/${version}`, manifest: fakeManifest({ name: 'a', version }) },
  fingerprint,
})

function create({ known = [found('1')], isChosen = (_: FoundVersion): boolean => true } = {}) {
  const clock = new FakeClock()
  const loads: string[] = []
  const warnings: string[] = []
  const disk = { versions: known, fails: false, brokenVersions: new Set<string>() }
  const loaded = new Set(known.map(({ version }) => version))
  const end = watchRepository({
    clock,
    everyMs: 1000,
    scan: async () => {
      if (disk.fails) throw new Error('no such volume')
      return disk.versions
    },
    known,
    isChosen,
    repository: {
      isMissing: (_name, version) => !loaded.has(version),
      load: async (_name, version = '') => {
        loads.push(version)
        if (disk.brokenVersions.has(version)) throw Object.assign(new Error('no weights'), { code: 'load_failed' })
        loaded.add(version)
      },
    },
    warn: (message) => warnings.push(message),
  })
  return { clock, loads, warnings, disk, end, look: () => clock.advance(1000) }
}

describe('watchRepository', () => {
  it('loads a new version once its files are the same for two looks', async () => {
    const { loads, disk, look } = create()
    disk.versions = [found('1'), found('2', 'half of it')]
    await look()
    disk.versions = [found('1'), found('2', 'all of it')]
    await look()
    expect(loads).toEqual([])
    await look()
    expect(loads).toEqual(['2'])
    await look()
    expect(loads).toEqual(['2'])
  })

  it('tries a version that failed again only when its files have changed', async () => {
    const { loads, warnings, disk, look } = create()
    disk.versions = [found('2')]
    disk.brokenVersions.add('2')
    for (let times = 0; times < 4; times++) await look()
    expect(loads).toEqual(['2'])
    disk.versions = [found('2', 'repaired')]
    disk.brokenVersions.clear()
    for (let times = 0; times < 4; times++) await look()
    expect(loads).toEqual(['2', '2'])
    // The repository has told why it failed.
    expect(warnings).toEqual([])
  })

  it('does not load again what is loaded and changes, nor what is not to be loaded', async () => {
    const { loads, disk, look } = create({ isChosen: ({ version }) => version !== '3' })
    disk.versions = [found('1', 'changed'), found('3')]
    for (let times = 0; times < 3; times++) await look()
    expect(loads).toEqual([])
  })

  it('goes on when the folder cannot be read', async () => {
    const { loads, warnings, disk, look } = create()
    disk.fails = true
    await look()
    expect(warnings).toEqual(['looking for new models failed: no such volume'])
    disk.fails = false
    disk.versions = [found('2')]
    await look()
    await look()
    expect(loads).toEqual(['2'])
  })

  it('ends', async () => {
    const { clock, end, disk, look, loads } = create()
    disk.versions = [found('2')]
    await look()
    end()
    await look()
    expect([clock.pending, loads]).toEqual([0, []])
  })
})

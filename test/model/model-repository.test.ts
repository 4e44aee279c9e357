import { describe, expect, it } from 'vitest'
import { ModelCatalog } from '../../src/model/catalog.ts'
import { InFlight } from '../../src/model/in-flight.ts'
import { ModelRepository, type ModelRepositoryOptions } from '../../src/model/model-repository.ts'
import type { FoundVersion } from '../../src/repository/repository.ts'
import { FakeClock, settle } from '../helpers/fake-clock.ts'
import { FakeModel, fakeManifest } from '../helpers/fake-model.ts'

const LOADED = { precision: 'fp32', precisionReason: undefined, parameters: 1, loadMs: 1 } as const

const found = (id: string, entry?: Error): FoundVersion => {
  const [name = '', version = ''] = id.split('/')
  const manifest = fakeManifest({ name, version })
  return { name, version, entry: entry ?? { directory: `/models/${id}`, manifest }, fingerprint: '' }
}

/** Remembers what it was asked, and says of each replacement which models the engine has from then on. */
class FakeEngine {
  readonly calls: string[] = []
  /** Put in the place of success. */
  onReplace: () => Promise<void> = async () => {}

  async load(key: string) {
    this.calls.push(`load ${key}`)
    if (key.startsWith('broken')) throw new Error('no weights')
    return LOADED
  }
  async replace(entries: ReadonlyMap<string, unknown>, { keep }: { keep: ReadonlySet<string> }) {
    this.calls.push(`replace ${[...entries.keys()].join(' ')}; keep ${[...keep].join(' ')}`)
    await this.onReplace()
    return LOADED
  }
  /** Put in the place of nothing. */
  onAbandon = (): void => {}
  abandon(): void {
    this.onAbandon()
  }
  keep(keys: ReadonlySet<string>): void {
    this.calls.push(`keep ${[...keys].join(' ')}`)
  }
}

async function create({ disk = ['a/1', 'a/2', 'a/10', 'b/1'], start = ['a/1'], maxLoaded = 0 } = {}) {
  const engine = new FakeEngine()
  const catalog = new ModelCatalog()
  const inFlight = new InFlight()
  const clock = new FakeClock()
  const log: string[] = []
  const onDisk = { versions: disk.map((id) => found(id)) }
  const options: ModelRepositoryOptions = {
    engine,
    catalog,
    inFlight,
    scan: async () => onDisk.versions,
    serve: (key, { name, version }) => Object.assign(new FakeModel({ name, version }), { key }),
    maxLoaded,
    requestTimeoutMs: 30_000,
    clock,
    log: (level, _fields, message) => log.push(`${level} ${message}`),
  }
  const repository = new ModelRepository(options)
  await repository.start(
    start.map((id) => found(id)),
    true,
  )
  engine.calls.length = 0
  log.length = 0
  const states = async () =>
    (await repository.index()).map(({ name, version, state, reason }) => `${name}/${version} ${state} ${reason}`.trim())
  const served = () => catalog.list().map((model) => (model as FakeModel & { key: string }).key)
  return { repository, engine, catalog, inFlight, clock, log, onDisk, states, served }
}

describe('ModelRepository', () => {
  it('loads the version asked for, and the highest where none is named', async () => {
    const { repository, engine, served, states, log } = await create()
    await repository.load('a', '2')
    await repository.load('a')
    expect(engine.calls).toEqual([
      'replace a/1#1 a/2#2; keep a/1#1 a/2#2',
      'replace a/1#1 a/2#2 a/10#3; keep a/1#1 a/2#2 a/10#3',
    ])
    expect(served()).toEqual(['a/1#1', 'a/2#2', 'a/10#3'])
    expect(await states()).toEqual(['a/1 READY', 'a/2 READY', 'a/10 READY', 'b/1 UNAVAILABLE not loaded'])
    expect(log).toEqual(['info model a/2 is loaded', 'info model a/10 is loaded'])
  })

  it('gives requests a version only once the engine has it', async () => {
    const { repository, engine, served, states } = await create()
    let succeed = (): void => {}
    engine.onReplace = () => new Promise((resolve) => (succeed = resolve))
    const loading = repository.load('a', '2')
    await settle()
    expect(served()).toEqual(['a/1#1'])
    expect(await states()).toContain('a/2 LOADING')
    succeed()
    await loading
    expect(served()).toEqual(['a/1#1', 'a/2#2'])
  })

  it('changes nothing when a load fails, and says why', async () => {
    const { repository, engine, served, states, log } = await create()
    engine.onReplace = () => Promise.reject(new Error('no weights'))
    await expect(repository.load('a', '2')).rejects.toMatchObject({
      code: 'load_failed',
      message: 'model a/2 was not loaded: no weights',
    })
    expect(served()).toEqual(['a/1#1'])
    expect(await states()).toContain('a/2 UNAVAILABLE no weights')
    expect(log).toEqual(['error model a/2 was not loaded: no weights'])
    expect([repository.isMissing('a', '1'), repository.isMissing('a', '2')]).toEqual([false, true])
    engine.onReplace = async () => {}
    await repository.load('a', '2')
    // Under another key than the load that failed, which some of the processes may have.
    expect(served()).toEqual(['a/1#1', 'a/2#3'])
  })

  it('fails for a model.json that is broken, and leaves the engine alone', async () => {
    const { repository, engine, onDisk, states } = await create()
    onDisk.versions.push(found('c/1', new Error('c/1/model.json: not JSON')))
    expect(await states()).toContain('c/1 UNAVAILABLE c/1/model.json: not JSON')
    await expect(repository.load('c')).rejects.toMatchObject({ code: 'load_failed', message: /not JSON/ })
    expect(engine.calls).toEqual([])
  })

  it('puts a version that is loaded again in the place of the old one, which stays until its requests have ended', async () => {
    const { repository, engine, inFlight, served } = await create({ start: ['a/1', 'b/1'] })
    const end = inFlight.begin()
    await repository.load('a', '1')
    expect(served()).toEqual(['a/1#3', 'b/1#2'])
    await settle()
    expect(engine.calls).toEqual(['replace b/1#2 a/1#3; keep a/1#1 b/1#2 a/1#3'])
    end()
    await settle()
    expect(engine.calls.slice(1)).toEqual(['keep a/1#3 b/1#2'])
  })

  it('keeps what was replaced for its requests, also while another change is made', async () => {
    const { repository, engine, inFlight } = await create()
    const end = inFlight.begin()
    await Promise.all([repository.load('a', '1'), repository.load('a', '2')])
    expect(engine.calls.at(-1)).toBe('replace a/1#2 a/2#3; keep a/1#2 a/1#1 a/2#3')
    end()
    await settle()
    expect(engine.calls.at(-1)).toBe('keep a/1#2 a/2#3')
  })

  it('keeps the old one where loading it again fails', async () => {
    const { repository, engine, served, states } = await create()
    engine.onReplace = () => Promise.reject(new Error('no weights'))
    await expect(repository.load('a', '1')).rejects.toMatchObject({ code: 'load_failed' })
    expect(served()).toEqual(['a/1#1'])
    expect(await states()).toContain('a/1 READY loading it again failed: no weights')
    expect(repository.isMissing('a', '1')).toBe(false)
  })

  it('unloads: first no request is given the version, and when those that hold it have ended, the engine lets go', async () => {
    const { repository, engine, inFlight, served, states } = await create({ start: ['a/1', 'a/2'] })
    const end = inFlight.begin()
    const unloading = repository.unload('a', '1')
    await settle()
    expect(served()).toEqual(['a/2#2'])
    expect(await states()).toContain('a/1 UNLOADING')
    expect(engine.calls).toEqual([])
    end()
    await unloading
    expect(engine.calls).toEqual(['replace a/2#2; keep a/2#2'])
    expect(await states()).toContain('a/1 UNAVAILABLE unloaded')
    expect(repository.isMissing('a', '1')).toBe(false)
  })

  it('waits for a request that does not end no longer than requests may take', async () => {
    const { repository, engine, inFlight, clock } = await create({ start: ['a/1', 'a/2'] })
    inFlight.begin()
    const unloading = repository.unload('a', '1')
    await settle()
    await clock.advance(29_999)
    expect(engine.calls).toEqual([])
    await clock.advance(1)
    await unloading
    expect(engine.calls).toHaveLength(1)
  })

  it('unloads every version where none is named', async () => {
    const { repository, served } = await create({ start: ['a/1', 'b/1', 'a/2'] })
    await repository.unload('a')
    expect(served()).toEqual(['b/1#2'])
    await expect(repository.unload('a')).rejects.toMatchObject({ code: 'model_not_found' })
  })

  it('has unloaded a version although its memory does not come back', async () => {
    const { repository, engine, served, states, log } = await create({ start: ['a/1', 'a/2'] })
    engine.onReplace = () => Promise.reject(new Error('no process to be had'))
    await repository.unload('a', '1')
    expect(served()).toEqual(['a/2#2'])
    expect(await states()).toContain('a/1 UNAVAILABLE unloaded')
    expect(log).toEqual([expect.stringMatching(/^warn .*still in memory.*a\/1: no process to be had/)])
  })

  it('makes one change at a time, and refuses what too many others wait before', async () => {
    const { repository, engine, states } = await create()
    let succeed = (): void => {}
    engine.onReplace = () => new Promise((resolve) => (succeed = resolve))
    const changes = Array.from({ length: 18 }, () => repository.load('a', '2').catch(({ code }) => code))
    await settle()
    expect(engine.calls).toHaveLength(1)
    expect(await changes.at(-1)).toBe('repository_busy')
    engine.onReplace = async () => {}
    succeed()
    expect(await Promise.all(changes.slice(0, -1))).toEqual(new Array(17).fill(undefined))
    expect(await states()).toContain('a/2 READY')
  })

  it('refuses to load one more than may be loaded, but not to load one again', async () => {
    const { repository, engine } = await create({ maxLoaded: 1 })
    await expect(repository.load('a', '2')).rejects.toMatchObject({ code: 'too_many_models' })
    expect(engine.calls).toEqual([])
    await repository.load('a', '1')
  })

  it('does not know what is not on disk', async () => {
    const { repository, onDisk, states } = await create()
    await expect(repository.load('fish')).rejects.toMatchObject({ code: 'model_not_found' })
    await expect(repository.load('a', '3')).rejects.toMatchObject({ code: 'model_not_found' })
    onDisk.versions = []
    expect(await states()).toEqual(['a/1 READY its folder is gone'])
  })

  it('changes nothing before the start is over and after the end has begun', async () => {
    const { repository, engine } = await create()
    engine.onReplace = () =>
      new Promise((_resolve, reject) => {
        engine.onAbandon = () => reject(new Error('the process ended'))
      })
    const changes = ['2', '10'].map((version) => repository.load('a', version).catch(({ code }) => code))
    await settle()
    repository.close()
    expect(await Promise.all(changes)).toEqual(['draining', 'draining'])
    expect(engine.calls).toHaveLength(1)

    const { engine: other, catalog, inFlight, clock } = await create()
    const serve = () => new FakeModel()
    const starting = new ModelRepository({
      ...{ engine: other, catalog, inFlight, clock, serve, maxLoaded: 0, requestTimeoutMs: 1, log: () => {} },
      scan: async () => [],
    })
    await expect(starting.load('a')).rejects.toMatchObject({ code: 'starting' })
  })

  it('starts without what is broken unless it is strict', async () => {
    const { engine, catalog, inFlight, clock } = await create({ start: [] })
    const log: string[] = []
    const repository = (): ModelRepository =>
      new ModelRepository({
        ...{ engine, catalog, inFlight, clock, maxLoaded: 0, requestTimeoutMs: 1 },
        scan: async () => [],
        serve: (_key, manifest) => new FakeModel(manifest),
        log: (level, _fields, message) => log.push(`${level} ${message}`),
      })
    const all = [found('broken/1'), found('a/1')]
    await expect(repository().start(all, true)).rejects.toThrow('model broken/1 was not loaded: no weights')
    expect(catalog.list()).toEqual([])
    await repository().start(all, false)
    expect(catalog.list().map(({ manifest }) => manifest.name)).toEqual(['a'])
    expect(log.at(-2)).toBe('error model broken/1 was not loaded: no weights')
  })
})

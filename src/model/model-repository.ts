import type { Clock } from '../batching/clock.ts'
import { ServeError } from '../errors.ts'
import type { Manifest } from '../repository/manifest.ts'
import { compareVersions, type FoundVersion, type RepositoryEntry } from '../repository/repository.ts'
import type { EnginePool } from '../workers/pool.ts'
import type { LoadedInfo } from '../workers/protocol.ts'
import type { ModelCatalog } from './catalog.ts'
import type { InFlight } from './in-flight.ts'
import type { Model } from './model.ts'

/** Changes that may wait for the one under way. */
const MAX_WAITING = 16

/** Triton's names. `UNAVAILABLE` with a reason: never asked for, failed, or unloaded. */
export type VersionState = 'READY' | 'LOADING' | 'UNLOADING' | 'UNAVAILABLE'

export interface VersionStatus {
  name: string
  version: string
  state: VersionState
  /** Why it is not served, or why its last load failed; empty if there is nothing to say. */
  reason: string
}

interface Version extends VersionStatus {
  /** What the engine has, while it is served. */
  loaded?: { key: string; entry: RepositoryEntry } | undefined
  /** Whether its last load failed. */
  failed?: boolean
}

export interface ModelRepositoryOptions {
  engine: Pick<EnginePool, 'load' | 'replace' | 'abandon' | 'keep'>
  catalog: ModelCatalog
  inFlight: InFlight
  /** What is on disk now. */
  scan: () => Promise<FoundVersion[]>
  /** Makes of a model that the engine has loaded under `key` what requests are given. */
  serve: (key: string, manifest: Manifest, loaded: LoadedInfo) => Model
  /** Most versions loaded at once; 0 is no limit. */
  maxLoaded: number
  /** No request holds a model for longer. */
  requestTimeoutMs: number
  clock: Clock
  log: (level: 'info' | 'warn' | 'error', fields: object, message: string) => void
}

/**
 * Loads and unloads versions while requests are served, one change at a time. A version is loaded into fresh engine
 * processes, and only then requests are given it. One that is unloaded is first given to no request any more; it leaves the
 * engine when those that hold it have ended. A load that fails changes nothing but what `index` says.
 */
export class ModelRepository {
  readonly #options: ModelRepositoryOptions
  /** All that a load was tried of, by `name/version`. */
  readonly #versions = new Map<string, Version>()
  /** Keys that were loaded again under another, and that requests may hold still. */
  readonly #replaced = new Set<string>()
  #loads = 0
  #phase: 'starting' | 'serving' | 'closed' = 'starting'
  #last: Promise<unknown> = Promise.resolve()
  #waiting = 0

  constructor(options: ModelRepositoryOptions) {
    this.#options = options
  }

  /**
   * Loads what is served from the start, into the processes that there are. With `strict`, rejects with the reason of the
   * first that fails; without it, goes on with the others.
   */
  async start(found: FoundVersion[], strict: boolean): Promise<void> {
    const { engine } = this.#options
    for (const each of found) {
      try {
        await this.#load(each, (key, entry) => engine.load(key, entry))
      } catch (error) {
        if (strict) throw error
      }
    }
    if (this.#phase === 'starting') this.#phase = 'serving'
  }

  /** Every version on disk or loaded, in the order of names and versions. */
  async index(): Promise<VersionStatus[]> {
    const rows = new Map<string, VersionStatus>()
    for (const { name, version, entry } of await this.#options.scan()) {
      const reason = entry instanceof Error ? entry.message : 'not loaded'
      rows.set(`${name}/${version}`, { name, version, state: 'UNAVAILABLE', reason })
    }
    for (const [id, { name, version, state, reason }] of this.#versions) {
      if (rows.has(id)) rows.set(id, { name, version, state, reason })
      else if (state !== 'UNAVAILABLE') rows.set(id, { name, version, state, reason: reason || 'its folder is gone' })
    }
    return [...rows.values()].sort((a, b) => a.name.localeCompare(b.name) || compareVersions(a.version, b.version))
  }

  /** Whether no load of the version was tried, or the last one failed. */
  isMissing(name: string, version: string): boolean {
    const known = this.#versions.get(`${name}/${version}`)
    return known === undefined || known.failed === true
  }

  /**
   * Loads a version from disk, without one the highest there is; again if it is loaded. Resolves when requests are given
   * it. Rejects with `model_not_found`, `load_failed`, `too_many_models`, `repository_busy`, `starting` or `draining`.
   */
  load(name: string, version?: string): Promise<void> {
    return this.#change(async () => {
      const found = await this.#find(name, version)
      await this.#load(found, (key, entry) => this.#replaceWith(found, key, entry))
    })
  }

  /**
   * Unloads a version, without one all of the model. Resolves when the engine no longer has them. Rejects with
   * `model_not_found`, `repository_busy`, `starting` or `draining`.
   */
  unload(name: string, version?: string): Promise<void> {
    return this.#change(async () => {
      const versions = [...this.#versions.values()].filter((each) => {
        return each.loaded && each.name === name && (version === undefined || each.version === version)
      })
      if (versions.length === 0) {
        throw new ServeError('model_not_found', `${idOf({ name, version })} is not loaded`)
      }
      await this.#unload(versions)
    })
  }

  /** Refuses all changes that have not begun, and lets the one under way come to its end soon. */
  close(): void {
    this.#phase = 'closed'
    this.#options.engine.abandon()
  }

  async #load(
    { name, version, entry }: FoundVersion,
    into: (key: string, entry: RepositoryEntry) => Promise<LoadedInfo>,
  ): Promise<void> {
    const { catalog, serve, log } = this.#options
    const id = idOf({ name, version })
    const old = this.#versions.get(id)?.loaded
    const status = (state: VersionState, reason = '', more: Partial<Version> = {}): void => {
      this.#versions.set(id, { name, version, state, reason, loaded: old, ...more })
    }
    if (!old) this.#checkRoom(id)
    status('LOADING')
    try {
      if (entry instanceof Error) throw entry
      // Never the key of another load: answers of the two must not mix.
      const key = `${id}#${++this.#loads}`
      const loaded = await into(key, entry)
      catalog.add(serve(key, entry.manifest, loaded))
      status('READY', '', { loaded: { key, entry } })
      const { parameters, loadMs, precision, precisionReason } = loaded
      const line = { model: name, version, parameters, precision, precision_reason: precisionReason }
      log('info', { ...line, load_ms: Math.round(loadMs) }, `model ${id} is loaded`)
    } catch (error) {
      const reason = this.#phase === 'closed' ? 'the server is shutting down' : (error as Error).message
      status(old ? 'READY' : 'UNAVAILABLE', old ? `loading it again failed: ${reason}` : reason, { failed: !old })
      log('error', { model: name, version }, `model ${id} was not loaded: ${reason}`)
      const code = this.#phase === 'closed' ? 'draining' : 'load_failed'
      throw new ServeError(code, `model ${id} was not loaded: ${reason}`, { cause: error })
    }
    if (old) {
      this.#replaced.add(old.key)
      void this.#inTurn(() => this.#dropReplaced())
    }
  }

  async #replaceWith(found: FoundVersion, key: string, entry: RepositoryEntry): Promise<LoadedInfo> {
    const others = this.#entries()
    const keep = new Set([...this.#keys(), key])
    const old = this.#versions.get(idOf(found))?.loaded?.key
    // What it replaces is left to the processes that have it: its files may be others by now.
    if (old !== undefined) others.delete(old)
    const loaded = await this.#options.engine.replace(others.set(key, entry), { wanted: key, keep })
    if (loaded === undefined) throw new Error('there is no engine process')
    return loaded
  }

  async #unload(versions: Version[]): Promise<void> {
    const { catalog, engine, log } = this.#options
    const become = (state: VersionState, reason = ''): void => {
      for (const { name, version } of versions) {
        this.#versions.set(idOf({ name, version }), { name, version, state, reason })
      }
    }
    for (const { name, version } of versions) catalog.remove(name, version)
    become('UNLOADING')
    await this.#untilUnused()
    const names = versions.map(idOf).join(', ')
    try {
      await engine.replace(this.#entries(), { keep: this.#keys() })
      log('info', {}, `unloaded: ${names}`)
    } catch (error) {
      log('warn', {}, `unloaded, but still in memory until the next change: ${names}: ${(error as Error).message}`)
    }
    become('UNAVAILABLE', 'unloaded')
  }

  /** Ends the processes that only those requests needed which began before a version was replaced. */
  async #dropReplaced(): Promise<void> {
    await this.#untilUnused()
    this.#replaced.clear()
    this.#options.engine.keep(this.#keys())
  }

  /** Until no request holds a model that the catalog no longer has. */
  #untilUnused(): Promise<void> {
    const { inFlight, clock, requestTimeoutMs } = this.#options
    return inFlight.ended(clock, requestTimeoutMs)
  }

  /** What requests may ask for. */
  #keys(): Set<string> {
    return new Set([...this.#entries().keys(), ...this.#replaced])
  }

  /** What requests are given, by key. */
  #entries(): Map<string, RepositoryEntry> {
    const loaded = [...this.#versions.values()].flatMap(({ loaded }) => loaded ?? [])
    return new Map(loaded.map(({ key, entry }) => [key, entry]))
  }

  #checkRoom(id: string): void {
    const { maxLoaded } = this.#options
    if (maxLoaded === 0 || this.#entries().size < maxLoaded) return
    throw new ServeError(
      'too_many_models',
      `${id}: ${maxLoaded} are loaded already (MAX_LOADED_MODELS); unload one first`,
    )
  }

  async #find(name: string, version: string | undefined): Promise<FoundVersion> {
    const all = await this.#options.scan()
    const found = all.filter((each) => each.name === name && (version === undefined || each.version === version))
    const highest = found.sort((a, b) => compareVersions(a.version, b.version)).at(-1)
    if (highest === undefined) {
      throw new ServeError('model_not_found', `${idOf({ name, version })} is not in the model repository`)
    }
    return highest
  }

  async #change(work: () => Promise<void>): Promise<void> {
    if (this.#phase === 'starting') throw new ServeError('starting', 'models are being loaded', { retryAfterS: 1 })
    if (this.#waiting > MAX_WAITING) {
      throw new ServeError('repository_busy', 'too many changes wait already', { retryAfterS: 5 })
    }
    this.#waiting++
    try {
      await this.#inTurn(async () => {
        if (this.#phase === 'closed') throw new ServeError('draining', 'the server is shutting down')
        await work()
      })
    } finally {
      this.#waiting--
    }
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    const turn = this.#last.then(work)
    this.#last = turn.catch(() => {})
    return turn
  }
}

function idOf({ name, version }: { name: string; version: string | undefined }): string {
  return version === undefined ? `model ${name}` : `${name}/${version}`
}

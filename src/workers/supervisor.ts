import type { Clock } from '../batching/clock.ts'
import type { EngineName, EngineOptions, Outputs } from '../engines/engine.ts'
import { sizesUpTo } from '../engines/padded-graph.ts'
import { ServeError } from '../errors.ts'
import type { RepositoryEntry } from '../repository/repository.ts'
import { EngineProcess } from './process.ts'
import type { InputBatch, LoadedInfo, OpenedInfo, Params, Vitals } from './protocol.ts'

/** Restarts in a row without an answered batch; after that many, the process is given up. */
const MAX_RESTARTS = 6
const FIRST_BACKOFF_MS = 100
const MAX_BACKOFF_MS = 10_000

export type EngineState = 'stopped' | 'starting' | 'ready' | 'restarting' | 'failed'

export interface EngineSupervisorOptions {
  engine: EngineName | 'auto'
  options: EngineOptions
  heartbeatTimeoutMs: number
  /** A batch that takes longer ends its process. */
  batchTimeoutMs: number
  /** Ascending. For engines with `fixedBatchSizes`. */
  allowedBatchSizes: number[]
  /** The process's environment; by default this process's. */
  env?: NodeJS.ProcessEnv | undefined
  clock: Clock
  log: (level: 'info' | 'warn' | 'error' | 'debug', message: string) => void
  /** Called whenever `state` has changed. */
  onStateChange?: (state: EngineState) => void
  /** Called once, when the process is given up. */
  onFatal: (reason: string) => void
  entry?: URL | undefined
}

interface Child {
  process: EngineProcess
  /** What it is to load, and what takes its place when it ends. */
  models: Map<string, Params<'load'>>
  /** What is loaded. */
  loaded: Map<string, LoadedInfo>
}

/**
 * Keeps one engine process alive. A process that ends unexpectedly is started again with all its models, with exponential
 * backoff and a limit. While none runs, calls fail at once with `engine_unavailable`.
 *
 * Models change by replacement: a fresh process loads while the current one serves, and then takes its place.
 */
export class EngineSupervisor {
  readonly #options: EngineSupervisorOptions
  #current: Child | undefined
  /** Replaced, but the only ones with a model that is still wanted. The newest first. */
  #older: Child[] = []
  /** Loads, to take the place of the current one. */
  #fresh: Child | undefined
  /** All that have not ended. */
  readonly #processes = new Set<EngineProcess>()
  #state: EngineState = 'stopped'
  #info: OpenedInfo | undefined
  #restarts = 0
  #failuresInARow = 0
  #callOffRestart: () => void = () => {}

  constructor(options: EngineSupervisorOptions) {
    this.#options = options
  }

  get state(): EngineState {
    return this.#state
  }

  /** Undefined before the first successful start. */
  get info(): OpenedInfo | undefined {
    return this.#info
  }

  /** Number of restarts. */
  get restarts(): number {
    return this.#restarts
  }

  /** Of the process that takes new batches. */
  get pid(): number | undefined {
    return this.#current?.process.pid
  }

  /** Sums over all processes; undefined before the first pulse. */
  get vitals(): Vitals | undefined {
    const all = [...this.#processes].flatMap(({ vitals }) => vitals ?? [])
    if (all.length === 0) return undefined
    return {
      residentBytes: all.reduce((sum, { residentBytes }) => sum + residentBytes, 0),
      liveTensors: all.reduce((sum, { liveTensors = 0 }) => sum + liveTensors, 0),
    }
  }

  /** Starts the process and opens the engine. Rejects with the reason if that fails; there is no second try. */
  async start(): Promise<OpenedInfo> {
    this.#become('starting')
    try {
      const child = this.#spawn()
      this.#current = child
      const info = await this.#prepare(child, () => this.#state === 'starting')
      this.#info = info
      this.#become('ready')
      this.#watch(child)
      return info
    } catch (error) {
      if (this.state === 'starting') this.#become('failed')
      throw error
    }
  }

  /**
   * Loads and warms up a model, now and after each restart. Batches wait meanwhile: this is for the start. Rejects with the
   * reason if that fails.
   */
  async load(key: string, entry: RepositoryEntry): Promise<LoadedInfo> {
    const params = this.#paramsOf(key, entry)
    const child = this.#ready()
    const loaded = await child.process.call('load', params)
    child.models.set(key, params)
    child.loaded.set(key, loaded)
    return loaded
  }

  /**
   * Starts a fresh process with these models, which then takes the place of the current one, whatever has become of that
   * meanwhile. Returns what is said of `wanted`. Rejects with the reason if `wanted` cannot be loaded or the process ends, and
   * all is as before. Another model that can no longer be loaded, since its files have changed, stays in the older process
   * that has it. Older processes end when `keep` says so.
   */
  async replace(entries: ReadonlyMap<string, RepositoryEntry>, wanted?: string): Promise<LoadedInfo | undefined> {
    const child = this.#spawn(new Map([...entries].map(([key, entry]) => [key, this.#paramsOf(key, entry)])))
    this.#fresh = child
    const info = await this.#prepare(child, () => this.#state !== 'stopped', wanted)
    this.#fresh = undefined
    this.#callOffRestart()
    const old = this.#current
    this.#current = child
    this.#info = info
    this.#failuresInARow = 0
    if (old && this.#state === 'ready') this.#older.unshift(old)
    // It was about to take the place that is taken now.
    else void old?.process.stop()
    this.#become('ready')
    this.#watch(child)
    return wanted === undefined ? undefined : child.loaded.get(wanted)
  }

  /** Ends the fresh process, if one is loading: `replace` rejects. */
  abandon(): void {
    void this.#fresh?.process.stop()
  }

  /** Ends the older processes that are not the only one with one of these models, once they have no batch. */
  keep(keys: ReadonlySet<string>): void {
    const newer = new Set(this.#current?.loaded.keys())
    this.#older = this.#older.filter(({ process, loaded }) => {
      const needed = [...loaded.keys()].some((key) => keys.has(key) && !newer.has(key))
      for (const key of loaded.keys()) newer.add(key)
      if (!needed) void process.retire()
      return needed
    })
  }

  /** Whether one of the processes has the model. */
  has(key: string): boolean {
    return this.#childWith(key) !== undefined
  }

  /** Rejects with `engine_unavailable`, or with a plain Error if the model fails. */
  async run(key: string, batch: InputBatch): Promise<Outputs> {
    this.#ready()
    const child = this.#childWith(key)
    if (child === undefined) throw new ServeError('engine_unavailable', 'the model was lost', { retryAfterS: 1 })
    const outputs = await child.process.run({ key, ...batch })
    this.#failuresInARow = 0
    return outputs
  }

  async stop(): Promise<void> {
    this.#become('stopped')
    this.#callOffRestart()
    await Promise.all([...this.#processes].map((process) => process.stop()))
  }

  #become(state: EngineState): void {
    if (state === this.#state) return
    this.#state = state
    this.#options.onStateChange?.(state)
  }

  #ready(): Child {
    if (this.#state === 'ready' && this.#current) return this.#current
    throw new ServeError('engine_unavailable', `the engine is ${this.#state}`, { retryAfterS: 1 })
  }

  #childWith(key: string): Child | undefined {
    return [this.#current, ...this.#older].find((child) => child?.loaded.has(key))
  }

  #paramsOf(key: string, entry: RepositoryEntry): Params<'load'> {
    const allowedBatchSizes = sizesUpTo(this.#options.allowedBatchSizes, entry.manifest.maxBatchSize)
    return { key, entry, allowedBatchSizes }
  }

  #spawn(models = new Map<string, Params<'load'>>()): Child {
    const { log } = this.#options
    const process = new EngineProcess({
      ...this.#options,
      onOutput: (line) => log('debug', line),
      onWarning: (line) => log('warn', line),
    })
    this.#processes.add(process)
    void process.exited.then(() => this.#processes.delete(process))
    return { process, models, loaded: new Map() }
  }

  /**
   * Opens the engine and loads the child's models. Leaves out those that cannot be loaded, with a line in the log. Ends the
   * child and rejects with the reason if one of them is `wanted` or all are left out, if the process ends, or if it is not
   * `current` any more.
   */
  async #prepare({ process, models, loaded }: Child, isCurrent: () => boolean, wanted?: string): Promise<OpenedInfo> {
    const { engine, options, log } = this.#options
    try {
      const info = await process.call('open', { choice: engine, options })
      for (const [key, params] of models) {
        try {
          loaded.set(key, await process.call('load', params))
        } catch (error) {
          if (error instanceof ServeError || key === wanted || models.size === 1) throw error
          log('error', `model ${key} cannot be loaded again: ${(error as Error).message}`)
        }
      }
      if (loaded.size === 0 && models.size > 0) throw new Error('none of the models can be loaded again')
      if (!isCurrent()) throw new Error('stopped before it was open')
      return info
    } catch (error) {
      await process.stop()
      const reason =
        error instanceof ServeError ? `the process ended: ${await process.exited}` : (error as Error).message
      throw new Error(reason, { cause: error })
    }
  }

  /** From now on, restarts the child when it ends. An older one is not missed: it is not the one that takes batches. */
  #watch(child: Child): void {
    void child.process.exited.then((reason) => {
      this.#older = this.#older.filter((older) => older !== child)
      if (this.#current === child && this.#state === 'ready') this.#scheduleRestart(`the process ended: ${reason}`)
    })
  }

  #scheduleRestart(reason: string): void {
    this.#failuresInARow++
    if (this.#failuresInARow > MAX_RESTARTS) {
      this.#become('failed')
      this.#options.onFatal(`the engine failed ${this.#failuresInARow} times in a row, last: ${reason}`)
      return
    }
    this.#become('restarting')
    const backoffMs = Math.min(FIRST_BACKOFF_MS * 2 ** (this.#failuresInARow - 1), MAX_BACKOFF_MS)
    this.#options.log('error', `the engine failed (${reason}); restarting in ${backoffMs} ms`)
    this.#callOffRestart = this.#options.clock.after(backoffMs, () => void this.#restart())
  }

  async #restart(): Promise<void> {
    this.#restarts++
    const ended = this.#current
    let child: Child | undefined
    const isCurrent = (): boolean => this.#state === 'restarting' && this.#current === (child ?? ended)
    try {
      // The system may not let there be another process.
      child = this.#spawn(new Map(ended?.models))
      this.#current = child
      this.#info = await this.#prepare(child, isCurrent)
    } catch (error) {
      if (!isCurrent()) return
      this.#scheduleRestart((error as Error).message)
      return
    }
    this.#become('ready')
    this.#options.log('info', 'the engine process is back')
    this.#watch(child)
  }
}

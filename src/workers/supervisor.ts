import type { Clock } from '../batching/clock.ts'
import type { Batch, EngineName, EngineOptions, Outputs } from '../engines/engine.ts'
import { sizesUpTo } from '../engines/padded-graph.ts'
import { ServeError } from '../errors.ts'
import type { RepositoryEntry } from '../repository/repository.ts'
import { EngineProcess } from './process.ts'
import type { LoadedInfo, OpenedInfo, Params, Vitals } from './protocol.ts'
import { Watchdog } from './watchdog.ts'

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

/**
 * Keeps one engine process alive. A process that ends unexpectedly is started again with all its models, with exponential
 * backoff and a limit. While none runs, calls fail at once with `engine_unavailable`.
 */
export class EngineSupervisor {
  readonly #options: EngineSupervisorOptions
  readonly #models = new Map<string, Params<'load'>>()
  #child: EngineProcess | undefined
  #state: EngineState = 'stopped'
  #info: OpenedInfo | undefined
  #restarts = 0
  #failuresInARow = 0
  #callOffRestart: () => void = () => {}
  /** Batches that the child has: the one that it computes, and perhaps one sent ahead. */
  #batches = 0
  readonly #batchWatchdog: Watchdog

  constructor(options: EngineSupervisorOptions) {
    this.#options = options
    const { clock, batchTimeoutMs } = options
    this.#batchWatchdog = new Watchdog(clock, batchTimeoutMs, () => {
      this.#child?.kill(`a batch took longer than ${batchTimeoutMs} ms`)
    })
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

  get pid(): number | undefined {
    return this.#child?.pid
  }

  get vitals(): Vitals | undefined {
    return this.#child?.vitals
  }

  /** Starts the process and opens the engine. Rejects with the reason if that fails; there is no second try. */
  async start(): Promise<OpenedInfo> {
    this.#become('starting')
    let child: EngineProcess | undefined
    try {
      child = this.#spawn()
      this.#info = await this.#open(child)
      if (this.state !== 'starting') throw new Error('stopped before it was open')
    } catch (error) {
      const reason = await endReason(child, error as Error)
      if (this.state === 'starting') this.#become('failed')
      throw new Error(reason, { cause: error })
    }
    this.#become('ready')
    this.#adopt(child)
    return this.#info
  }

  /** Loads and warms up a model, now and after each restart. Rejects with the reason if that fails. */
  async load(key: string, entry: RepositoryEntry): Promise<LoadedInfo> {
    const allowedBatchSizes = sizesUpTo(this.#options.allowedBatchSizes, entry.manifest.maxBatchSize)
    const params = { key, entry, allowedBatchSizes }
    const loaded = await this.#ready().call('load', params)
    this.#models.set(key, params)
    return loaded
  }

  /** Rejects with `engine_unavailable`, or with a plain Error if the model fails. */
  async run(key: string, batch: Batch): Promise<Outputs> {
    const child = this.#ready()
    this.#batches++
    if (this.#batches === 1) this.#batchWatchdog.feed()
    try {
      const outputs = await child.call('run', { key, ...batch })
      this.#failuresInARow = 0
      return outputs
    } finally {
      this.#batches--
      // The time limit is for the next batch now: the child computes one after the other.
      if (this.#batches > 0) this.#batchWatchdog.feed()
      else this.#batchWatchdog.stop()
    }
  }

  async stop(): Promise<void> {
    this.#become('stopped')
    this.#callOffRestart()
    await this.#child?.stop()
  }

  #become(state: EngineState): void {
    if (state === this.#state) return
    this.#state = state
    this.#options.onStateChange?.(state)
  }

  #ready(): EngineProcess {
    if (this.#state === 'ready' && this.#child) return this.#child
    throw new ServeError('engine_unavailable', `the engine is ${this.#state}`, { retryAfterS: 1 })
  }

  #spawn(): EngineProcess {
    const { clock, heartbeatTimeoutMs, log, env, entry } = this.#options
    this.#child = new EngineProcess({
      clock,
      heartbeatTimeoutMs,
      env,
      entry,
      onOutput: (line) => log('debug', line),
      onWarning: (line) => log('warn', line),
    })
    return this.#child
  }

  #open(child: EngineProcess): Promise<OpenedInfo> {
    const { engine, options } = this.#options
    return child.call('open', { choice: engine, options })
  }

  /** From now on, restarts the child when it ends. */
  #adopt(child: EngineProcess): void {
    void child.exited.then((reason) => {
      if (this.#child === child && this.#state === 'ready') this.#scheduleRestart(`the process ended: ${reason}`)
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
    let child: EngineProcess | undefined
    try {
      child = this.#spawn()
      this.#info = await this.#open(child)
      for (const params of this.#models.values()) await child.call('load', params)
    } catch (error) {
      const reason = await endReason(child, error as Error)
      if (this.#state === 'restarting') this.#scheduleRestart(reason)
      return
    }
    if (this.#state !== 'restarting') return
    this.#become('ready')
    this.#options.log('info', 'the engine process is back')
    this.#adopt(child)
  }
}

/** Ends a child that failed to start. Returns its error, or else how its process ended. */
async function endReason(child: EngineProcess | undefined, error: Error): Promise<string> {
  // The system may not let there be another process.
  if (child === undefined) return error.message
  await child.stop()
  return error instanceof ServeError ? `the process ended: ${await child.exited}` : error.message
}

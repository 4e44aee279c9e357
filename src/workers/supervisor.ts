import type { Clock } from '../batching/clock.ts'
import type { Batch, EngineName, EngineOptions, Outputs } from '../engines/engine.ts'
import { ServeError } from '../errors.ts'
import type { RepositoryEntry } from '../repository/repository.ts'
import { EngineProcess } from './process.ts'
import type { LoadedInfo, OpenedInfo, Params, Vitals } from './protocol.ts'

/** Restarts in a row, without a batch answered between them, after which the process is given up. */
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
  /** Ascending; used by engines on which a new batch size is slow. */
  allowedBatchSizes: number[]
  /** The process's environment; without it, this process's. */
  env?: NodeJS.ProcessEnv | undefined
  clock: Clock
  log: (level: 'info' | 'warn' | 'error' | 'debug', message: string) => void
  /** Called whenever `state` has changed. */
  onStateChange?: (state: EngineState) => void
  /** Called once when restarting has been given up. */
  onFatal: (reason: string) => void
  entry?: URL
}

/**
 * The engine, kept alive: one child process at a time, started again with all its models when it ends unasked, with
 * exponential backoff and a limit. While there is none, calls are refused at once with `engine_unavailable`.
 */
export class EngineSupervisor {
  readonly #options: EngineSupervisorOptions
  readonly #models = new Map<string, Params<'load'>>()
  #child: EngineProcess | undefined
  #currentState: EngineState = 'stopped'
  #info: OpenedInfo | undefined
  #restarts = 0
  #failuresInARow = 0
  #callOffRestart: () => void = () => {}
  /** With the child: one that it computes, and perhaps one that was sent ahead. */
  #batches = 0
  #callOffBatch: () => void = () => {}

  constructor(options: EngineSupervisorOptions) {
    this.#options = options
  }

  get state(): EngineState {
    return this.#currentState
  }

  get #state(): EngineState {
    return this.#currentState
  }

  set #state(state: EngineState) {
    if (state === this.#currentState) return
    this.#currentState = state
    this.#options.onStateChange?.(state)
  }

  /** What runs, and what was passed over; undefined before the first start has succeeded. */
  get info(): OpenedInfo | undefined {
    return this.#info
  }

  /** Times the process was started again. */
  get restarts(): number {
    return this.#restarts
  }

  get pid(): number | undefined {
    return this.#child?.pid
  }

  get vitals(): Vitals | undefined {
    return this.#child?.vitals
  }

  /** Starts the process and opens the engine. Rejects with the reason when no engine runs; it is not tried again. */
  async start(): Promise<OpenedInfo> {
    this.#state = 'starting'
    const child = this.#spawn()
    try {
      this.#info = await this.#open(child)
      if (this.state !== 'starting') throw new Error('stopped before it was open')
    } catch (error) {
      const reason = await endReason(child, error as Error)
      if (this.state === 'starting') this.#state = 'failed'
      throw new Error(reason, { cause: error })
    }
    this.#state = 'ready'
    this.#adopt(child)
    return this.#info
  }

  /** Loads and warms up a model, now and after every restart. Rejects with the reason when it cannot be loaded. */
  async load(key: string, entry: RepositoryEntry): Promise<LoadedInfo> {
    const params = { key, entry, allowedBatchSizes: this.#options.allowedBatchSizes }
    const loaded = await this.#ready().call('load', params)
    this.#models.set(key, params)
    return loaded
  }

  async unload(key: string): Promise<void> {
    this.#models.delete(key)
    await this.#ready().call('unload', { key })
  }

  /** Rejects with `engine_unavailable`, or a plain Error when the model fails. */
  async run(key: string, batch: Batch): Promise<Outputs> {
    const child = this.#ready()
    this.#batches++
    if (this.#batches === 1) this.#watchBatch(child)
    try {
      const outputs = await child.call('run', { key, ...batch })
      this.#failuresInARow = 0
      return outputs
    } finally {
      this.#batches--
      this.#watchBatch(child)
    }
  }

  /** Starts the time of the batch that is the child's next over again; batches are computed one after the other. */
  #watchBatch(child: EngineProcess): void {
    const { clock, batchTimeoutMs } = this.#options
    this.#callOffBatch()
    this.#callOffBatch = () => {}
    if (this.#batches === 0) return
    const reason = `a batch took longer than ${batchTimeoutMs} ms`
    this.#callOffBatch = clock.after(batchTimeoutMs, () => child.kill(reason))
  }

  async stop(): Promise<void> {
    this.#state = 'stopped'
    this.#callOffRestart()
    await this.#child?.stop()
  }

  #ready(): EngineProcess {
    if (this.#state === 'ready' && this.#child) return this.#child
    throw new ServeError('engine_unavailable', `the engine is ${this.#state}`, { retryAfterS: 1 })
  }

  #spawn(): EngineProcess {
    const { clock, heartbeatTimeoutMs, log, env, entry } = this.#options
    const child = new EngineProcess({
      clock,
      heartbeatTimeoutMs,
      env,
      onOutput: (line) => log('debug', line),
      onWarning: (line) => log('warn', line),
      ...(entry ? { entry } : {}),
    })
    this.#child = child
    return child
  }

  #open(child: EngineProcess): Promise<OpenedInfo> {
    const { engine, options } = this.#options
    return child.call('open', { choice: engine, options })
  }

  /** From here on, the end of this child is answered with a restart. */
  #adopt(child: EngineProcess): void {
    void child.exited.then((reason) => {
      if (this.#child === child && this.#state === 'ready') this.#scheduleRestart(`the process ended: ${reason}`)
    })
  }

  #scheduleRestart(reason: string): void {
    this.#failuresInARow++
    if (this.#failuresInARow > MAX_RESTARTS) {
      this.#state = 'failed'
      this.#options.onFatal(`the engine failed ${this.#failuresInARow} times in a row, last: ${reason}`)
      return
    }
    this.#state = 'restarting'
    const backoffMs = Math.min(FIRST_BACKOFF_MS * 2 ** (this.#failuresInARow - 1), MAX_BACKOFF_MS)
    this.#options.log('error', `the engine failed (${reason}); restarting in ${backoffMs} ms`)
    this.#callOffRestart = this.#options.clock.after(backoffMs, () => void this.#restart())
  }

  async #restart(): Promise<void> {
    this.#restarts++
    const child = this.#spawn()
    try {
      this.#info = await this.#open(child)
      for (const params of this.#models.values()) await child.call('load', params)
    } catch (error) {
      const reason = await endReason(child, error as Error)
      if (this.#state === 'restarting') this.#scheduleRestart(reason)
      return
    }
    if (this.#state !== 'restarting') return
    this.#state = 'ready'
    this.#options.log('info', 'the engine process is back')
    this.#adopt(child)
  }
}

/** Ends a child that did not come up, and tells why: what it said itself, or else how its process ended. */
async function endReason(child: EngineProcess, error: Error): Promise<string> {
  await child.stop()
  return error instanceof ServeError ? `the process ended: ${await child.exited}` : error.message
}

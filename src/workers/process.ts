import { type ChildProcess, fork } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Clock } from '../batching/clock.ts'
import type { EngineName } from '../engines/engine.ts'
import { ServeError } from '../errors.ts'
import type { Method, Params, Reply, Result, Vitals } from './protocol.ts'

/** How long a child may take to leave after being asked, before it is killed. */
const STOP_TIMEOUT_MS = 2000

/**
 * Young objects of a child are those of one batch: with a megabyte for them instead of 16, V8 keeps 25 MiB less of each
 * process, at the same speed.
 */
const EXEC_ARGV = ['--max-semi-space-size=1']

/** A child leaves when its channel closes, unless it hangs: then it is ended with this process. */
const living = new Set<ChildProcess>()
process.once('exit', () => {
  for (const child of living) child.kill('SIGKILL')
})

export interface EngineProcessOptions {
  /** Silence longer than this (ms) means that the child hangs. */
  heartbeatTimeoutMs: number
  clock: Clock
  /** A line that the child, or a library in it, wrote to stdout or stderr. */
  onOutput: (line: string) => void
  /** What the child itself has to say to the operator. */
  onWarning: (line: string) => void
  /** The child's environment; without it, this process's. */
  env?: NodeJS.ProcessEnv | undefined
  /** Module to run; tests put a double here. */
  entry?: URL
}

/** One engine process: calls go in, answers come out, and `exited` tells of its end, however it came. */
export class EngineProcess {
  /** Resolves once with the reason, when the process is gone. */
  readonly exited: Promise<string>
  readonly #process: ChildProcess
  readonly #options: EngineProcessOptions
  readonly #pending = new Map<number, { resolve: (value: never) => void; reject: (error: Error) => void }>()
  #vitals: Vitals | undefined
  #nextId = 0
  #gone = false
  #stopWatchdog: () => void = () => {}
  #killReason: string | undefined

  constructor(options: EngineProcessOptions) {
    this.#options = options
    const entry = options.entry ?? defaultEntry()
    this.#process = fork(fileURLToPath(entry), {
      serialization: 'advanced',
      ...(options.env ? { env: options.env } : {}),
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      execArgv: [...EXEC_ARGV, ...(entry.pathname.endsWith('.ts') ? ['--import', 'tsx'] : [])],
    })
    for (const stream of [this.#process.stdout, this.#process.stderr]) {
      if (stream) createInterface({ input: stream }).on('line', options.onOutput)
    }
    this.#process.on('message', (reply: Reply) => this.#receive(reply))
    living.add(this.#process)
    this.exited = new Promise((resolve) => {
      const end = (reason: string): void => {
        this.#gone = true
        living.delete(this.#process)
        this.#stopWatchdog()
        this.#rejectPending()
        resolve(this.#killReason ?? reason)
      }
      this.#process.once('exit', (code, signal) => end(signal ? `killed by ${signal}` : `exit code ${code}`))
      this.#process.once('error', (error) => end(error.message))
    })
    this.#watch()
  }

  get pid(): number | undefined {
    return this.#process.pid
  }

  /** As of the last pulse; undefined before the first. */
  get vitals(): Vitals | undefined {
    return this.#vitals
  }

  /**
   * Rejects with `engine_unavailable` when the process is gone or ends before it answers, and with a plain Error that
   * carries the child's words when the child refuses.
   */
  call<M extends Method>(method: M, params: Params<M>): Promise<Result<M>> {
    if (this.#gone) return Promise.reject(engineGone())
    const id = this.#nextId++
    return new Promise<Result<M>>((resolve, reject) => {
      this.#pending.set(id, { resolve, reject })
      // An error here is the channel closing; the exit that follows rejects what is pending.
      this.#process.send({ id, method, params }, () => {})
    })
  }

  /** Ends the child at once; `exited` then tells `reason`. */
  kill(reason: string): void {
    this.#killReason ??= reason
    this.#process.kill('SIGKILL')
  }

  /** Asks the child to leave, and kills it if it does not. */
  async stop(): Promise<void> {
    if (this.#process.connected) this.#process.disconnect()
    const callOff = this.#options.clock.after(STOP_TIMEOUT_MS, () => this.#process.kill('SIGKILL'))
    await this.exited
    callOff()
  }

  #receive(reply: Reply): void {
    this.#watch()
    if ('pulse' in reply) {
      this.#vitals = reply.pulse
      return
    }
    if ('warning' in reply) {
      this.#options.onWarning(reply.warning)
      return
    }
    const pending = this.#pending.get(reply.id)
    this.#pending.delete(reply.id)
    if ('error' in reply) pending?.reject(new Error(reply.error))
    else pending?.resolve(reply.result as never)
  }

  /** Starts the wait for the next sign of life over again. */
  #watch(): void {
    this.#stopWatchdog()
    const { clock, heartbeatTimeoutMs } = this.#options
    this.#stopWatchdog = clock.after(heartbeatTimeoutMs, () => this.kill(`silent for ${heartbeatTimeoutMs} ms`))
  }

  #rejectPending(): void {
    for (const { reject } of this.#pending.values()) reject(engineGone())
    this.#pending.clear()
  }
}

function engineGone(): ServeError {
  return new ServeError('engine_unavailable', 'the engine process is restarting', { retryAfterS: 1 })
}

/** Compiled to dist/ it is JavaScript; run from src/ (tests, `npm run dev`) it is TypeScript. */
function defaultEntry(): URL {
  return new URL(import.meta.url.endsWith('.ts') ? './main.ts' : './main.js', import.meta.url)
}

/**
 * Variables that an engine process is started with. glibc gives freed memory back to the system only where it came by
 * mmap, and raises the size from which it uses that to whatever was freed last. Loading a model allocates and frees its
 * weights several times over: with the size fixed, an engine process with the default model has 130 MiB instead of 190.
 * Not for native TensorFlow, which allocates the values of a batch anew for each, and would pay for every page of them.
 */
export function engineEnvironment(engine: EngineName | 'auto'): Record<string, string> {
  return engine === 'tensorflow' ? {} : { MALLOC_MMAP_THRESHOLD_: String(256 * 1024) }
}

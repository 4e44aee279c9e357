import { type ChildProcess, fork } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import type { Clock } from '../batching/clock.ts'
import type { EngineName } from '../engines/engine.ts'
import { ServeError } from '../errors.ts'
import { writeInputs } from './input-pipe.ts'
import type { InputBatch, Method, Params, Reply, Result, Vitals } from './protocol.ts'
import { Watchdog } from './watchdog.ts'

/** A child that was asked to end is killed after this time. */
const STOP_TIMEOUT_MS = 2000

/**
 * V8's space for young objects. A child needs it only for one batch: with 1 MiB instead of 16, it takes 25 MiB less memory
 * at the same speed.
 */
const EXEC_ARGV = ['--max-semi-space-size=1']

/** A child ends when its channel closes, unless it hangs. Hence this process kills its children when it ends. */
const living = new Set<ChildProcess>()
process.once('exit', () => {
  for (const child of living) child.kill('SIGKILL')
})

export interface EngineProcessOptions {
  /** A child that is silent for longer (ms) hangs, and is killed. */
  heartbeatTimeoutMs: number
  /** So is one whose batch takes longer (ms). */
  batchTimeoutMs: number
  clock: Clock
  /** Receives each line that the child or its libraries write to stdout or stderr. */
  onOutput: (line: string) => void
  /** Receives messages of the child to the operator. */
  onWarning: (line: string) => void
  /** The child's environment; by default this process's. */
  env?: NodeJS.ProcessEnv | undefined
  /** Module to run; tests put a double here. */
  entry?: URL | undefined
}

/** One engine process: sends it calls, receives its answers, and watches over it. */
export class EngineProcess {
  /** Resolves with the reason when the process has ended. */
  readonly exited: Promise<string>
  readonly #process: ChildProcess
  readonly #inputs: Writable
  readonly #options: EngineProcessOptions
  /** Few at a time. A Map would keep answers in memory for long (server/short-lived-set.ts). */
  readonly #pending: { id: number; resolve: (value: never) => void; reject: (error: Error) => void }[] = []
  #vitals: Vitals | undefined
  #nextId = 0
  #gone = false
  readonly #watchdog: Watchdog
  readonly #batchWatchdog: Watchdog
  /** Batches that the child has: the one that it computes, and perhaps one sent ahead. */
  #batches = 0
  #becameIdle: () => void = () => {}
  #killReason: string | undefined

  constructor(options: EngineProcessOptions) {
    this.#options = options
    const { clock, heartbeatTimeoutMs, batchTimeoutMs } = options
    this.#watchdog = new Watchdog(clock, heartbeatTimeoutMs, () => this.kill(`silent for ${heartbeatTimeoutMs} ms`))
    this.#batchWatchdog = new Watchdog(clock, batchTimeoutMs, () => {
      this.kill(`a batch took longer than ${batchTimeoutMs} ms`)
    })
    const entry = options.entry ?? defaultEntry()
    this.#process = fork(fileURLToPath(entry), {
      serialization: 'advanced',
      env: options.env,
      stdio: ['ignore', 'pipe', 'pipe', 'ipc', 'pipe'],
      execArgv: [...EXEC_ARGV, ...(entry.pathname.endsWith('.ts') ? ['--import', 'tsx'] : [])],
    })
    for (const stream of [this.#process.stdout, this.#process.stderr]) {
      if (stream) createInterface({ input: stream }).on('line', options.onOutput)
    }
    this.#inputs = this.#process.stdio[4] as Writable
    // It fails when the process ends, which rejects all calls.
    this.#inputs.on('error', () => {})
    this.#process.on('message', (reply: Reply) => this.#receive(reply))
    living.add(this.#process)
    this.exited = new Promise((resolve) => {
      const end = (reason: string): void => {
        this.#gone = true
        living.delete(this.#process)
        this.#watchdog.stop()
        this.#batchWatchdog.stop()
        for (const { reject } of this.#pending.splice(0)) reject(engineGone())
        resolve(this.#killReason ?? reason)
      }
      this.#process.once('exit', (code, signal) => end(signal ? `killed by ${signal}` : `exit code ${code}`))
      this.#process.once('error', (error) => end(error.message))
    })
    this.#watchdog.feed()
  }

  get pid(): number | undefined {
    return this.#process.pid
  }

  /** As of the last pulse; undefined before the first. */
  get vitals(): Vitals | undefined {
    return this.#vitals
  }

  /**
   * Rejects with `engine_unavailable` if the process has ended or ends before it answers, and with a plain Error with the
   * child's message if the call fails there.
   */
  call<M extends Method>(method: M, params: Params<M>): Promise<Result<M>> {
    if (this.#gone) return Promise.reject(engineGone())
    const id = this.#nextId++
    return new Promise<Result<M>>((resolve, reject) => {
      this.#pending.push({ id, resolve, reject })
      // `send` fails when the channel closes; the exit that follows rejects all pending calls.
      this.#process.send({ id, method, params }, () => {})
    })
  }

  /** A call whose time is bounded: the child computes one batch after the other. */
  async run({ inputs, ...batch }: InputBatch & { key: string }): Promise<Result<'run'>> {
    this.#batches++
    if (this.#batches === 1) this.#batchWatchdog.feed()
    try {
      const inputBytes = inputs.reduce((sum, { byteLength }) => sum + byteLength, 0)
      const outputs = this.call('run', { ...batch, inputBytes })
      if (!this.#gone) writeInputs(this.#inputs, inputs)
      return await outputs
    } finally {
      this.#batches--
      // The time limit is for the next batch now.
      if (this.#batches > 0 && !this.#gone) this.#batchWatchdog.feed()
      else this.#batchWatchdog.stop()
      if (this.#batches === 0) this.#becameIdle()
    }
  }

  /** Lets the child finish the batches that it has, then ends it. */
  async retire(): Promise<void> {
    if (this.#batches > 0) {
      await new Promise<void>((resolve) => {
        this.#becameIdle = resolve
      })
    }
    await this.stop()
  }

  /** Ends the child at once; `exited` resolves with `reason`. */
  kill(reason: string): void {
    this.#killReason ??= reason
    this.#process.kill('SIGKILL')
  }

  /** Asks the child to end, and kills it if it does not. */
  async stop(): Promise<void> {
    if (this.#process.connected) this.#process.disconnect()
    const callOff = this.#options.clock.after(STOP_TIMEOUT_MS, () => this.#process.kill('SIGKILL'))
    await this.exited
    callOff()
  }

  #receive(reply: Reply): void {
    this.#watchdog.feed()
    if ('pulse' in reply) {
      this.#vitals = reply.pulse
      return
    }
    if ('warning' in reply) {
      this.#options.onWarning(reply.warning)
      return
    }
    const at = this.#pending.findIndex(({ id }) => id === reply.id)
    if (at === -1) return
    const [call] = this.#pending.splice(at, 1)
    if ('error' in reply) call?.reject(new Error(reply.error))
    else call?.resolve(reply.result as never)
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
 * Environment variables for an engine process. glibc returns freed memory to the system only if it was allocated by mmap,
 * and raises the threshold for mmap whenever a larger block is freed. Loading a model allocates and frees its weights
 * several times: with a fixed threshold, the default model takes 130 MiB instead of 190. Not for native TensorFlow, which
 * allocates the values of each batch anew: mmap would be slow there.
 */
export function engineEnvironment(engine: EngineName | 'auto'): Record<string, string> {
  return engine === 'tensorflow' ? {} : { MALLOC_MMAP_THRESHOLD_: String(256 * 1024) }
}

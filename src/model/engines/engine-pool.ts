import type { RepositoryEntry } from '../repository.ts'
import type { EngineName, Outputs } from './engine.ts'
import { EngineProcess, type EngineProcessOptions, type EngineState } from './engine-process.ts'
import type { LoadedInfo, OpenedInfo, Vitals } from './protocol.ts'

export interface EnginePoolOptions extends Omit<EngineProcessOptions, 'onStateChange'> {
  /** GPUs as CUDA_VISIBLE_DEVICES names them: one process each on CUDA, where `processes` means nothing. */
  devices: string[]
  /** Processes that share the CPU's threads, each with a batch of its own. Native TensorFlow has one whatever it says. */
  processes: number
  /** Called when `capacity` may have changed. */
  onCapacityChange: () => void
}

/** How a member's state reads for the whole, the best first. */
const BEST_FIRST: EngineState[] = ['ready', 'starting', 'restarting', 'stopped', 'failed']

/** Engines of which the first process can spread a batch over all threads. */
const SPREADS_BATCHES = new Set<EngineName | undefined>(['onnx'])

/**
 * The engine as one, however many processes it has: one per GPU, or a few that share the CPU. Each is kept alive on its
 * own; a batch goes to the one that is least busy. It has failed only when all of them have.
 *
 * On a CPU, processes that each compute a batch on a part of the threads get more done than one that spreads every batch
 * over all of them: no thread waits at the end of each operator for another that HTTP has pushed off its core. A batch
 * that is alone goes to the first process, which can take all threads for it.
 */
export class EnginePool {
  readonly #options: EnginePoolOptions
  readonly #members: Member[] = []

  constructor(options: EnginePoolOptions) {
    this.#options = options
  }

  get state(): EngineState {
    const states = new Set(this.#members.map(({ process }) => process.state))
    return BEST_FIRST.find((state) => states.has(state)) ?? 'stopped'
  }

  /**
   * Batches that are worth computing at once, now: one per process that is ready. Where the first can take all threads, the
   * others count only while they are busy: a batch on all threads has its answers sooner than two side by side, so
   * another process is for when more waits than that (`sendAhead`).
   */
  get capacity(): number {
    const [first, ...others] = this.#ready
    if (first === undefined) return 0
    if (!SPREADS_BATCHES.has(this.#engine)) return 1 + others.length
    return 1 + others.filter(({ running }) => running > 0).length
  }

  /** What runs, and what was passed over; undefined before the first start has succeeded. */
  get info(): OpenedInfo | undefined {
    const info = this.#members[0]?.process.info
    return info && { ...info, details: { ...info.details, processes: this.#members.length } }
  }

  /** On CUDA in the order of `devices`. */
  get members(): Pick<EngineProcess, 'state' | 'info' | 'pid' | 'restarts' | 'vitals'>[] {
    return this.#members.map(({ process }) => process)
  }

  get restarts(): number {
    return this.#members.reduce((sum, { process }) => sum + process.restarts, 0)
  }

  /** Of all processes together, as of their last pulses. */
  get vitals(): Vitals {
    const all = this.#members.flatMap(({ process }) => process.vitals ?? [])
    return {
      residentBytes: all.reduce((sum, { residentBytes }) => sum + residentBytes, 0),
      liveTensors: all.reduce((sum, { liveTensors = 0 }) => sum + liveTensors, 0),
    }
  }

  /**
   * Opens the engine in a first process, which settles what `auto` means, and then in those beside it. Rejects with the
   * reason when it does not open in all of them; it is not tried again.
   */
  async start(): Promise<OpenedInfo> {
    const [first, ...further] = this.#options.devices
    const info = await this.#add(first).start()
    const beside = info.engine === 'cuda' ? further : this.#besideOnCpu(info.engine)
    await Promise.all(beside.map((device) => this.#add(device, info.engine).start()))
    return info
  }

  /** Loads and warms up a model everywhere, now and after every restart. Rejects with the reason when it cannot be loaded. */
  async load(key: string, entry: RepositoryEntry): Promise<LoadedInfo> {
    const count = this.#members.length
    const shares = count > 1 && this.#engine !== 'cuda'
    const [loaded] = await Promise.all(
      this.#members.map(({ process }, index) => process.load(key, entry, shares ? { index, count } : undefined)),
    )
    if (loaded === undefined) throw new Error('load before start')
    return loaded
  }

  async unload(key: string): Promise<void> {
    await Promise.all(this.#members.map(({ process }) => process.unload(key)))
  }

  /**
   * `input` is `[batchSize, C, H, W]`. Rejects with `engine_unavailable` when no process is ready or the one that had
   * the batch ended, and with a plain Error when the model fails.
   */
  async run(key: string, input: Float32Array, batchSize: number): Promise<Outputs> {
    const member = this.#leastBusy()
    const shared = this.#members.some((other) => other !== member && other.running > 0)
    member.running++
    try {
      return await member.process.run(key, input, batchSize, shared)
    } finally {
      member.running--
    }
  }

  async stop(): Promise<void> {
    await Promise.all(this.#members.map(({ process }) => process.stop()))
  }

  get #engine(): EngineName | undefined {
    return this.#members[0]?.process.info?.engine
  }

  get #ready(): Member[] {
    return this.#members.filter(({ process }) => process.state === 'ready')
  }

  /** A ready one; when none is, any, whose refusal says how things stand. */
  #leastBusy(): Member {
    const ready = this.#ready
    const [first, ...rest] = ready.length > 0 ? ready : this.#members
    if (first === undefined) throw new Error('run before start')
    return rest.reduce((best, member) => (member.running < best.running ? member : best), first)
  }

  /** For each further process on the CPU the device that it has, which is none. */
  #besideOnCpu(engine: EngineName): undefined[] {
    return engine === 'tensorflow' ? [] : new Array<undefined>(this.#options.processes - 1).fill(undefined)
  }

  #add(device: string | undefined, engine = this.#options.engine): EngineProcess {
    const { options, processes, onCapacityChange, onFatal, log } = this.#options
    const name = device !== undefined ? `GPU ${device}: ` : processes > 1 ? `process ${this.#members.length + 1}: ` : ''
    const process = new EngineProcess({
      ...this.#options,
      engine,
      options: { ...options, gpu: { ...options.gpu, device } },
      log: (level, message) => log(level, `${name}${message}`),
      onStateChange: onCapacityChange,
      onFatal: (reason) => {
        if (this.state === 'failed') onFatal(`${name}${reason}`)
        else log('error', `${name}${reason}; the others go on`)
      },
    })
    this.#members.push({ process, running: 0 })
    return process
  }
}

interface Member {
  process: EngineProcess
  /** Batches it has. */
  running: number
}

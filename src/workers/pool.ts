import type { Place } from '../batching/engine-schedule.ts'
import type { Batch, EngineName, Outputs } from '../engines/engine.ts'
import type { RepositoryEntry } from '../repository/repository.ts'
import type { LoadedInfo, OpenedInfo, Vitals } from './protocol.ts'
import { type EngineState, EngineSupervisor, type EngineSupervisorOptions } from './supervisor.ts'

export interface EnginePoolOptions extends Omit<EngineSupervisorOptions, 'onStateChange'> {
  /** GPUs as CUDA_VISIBLE_DEVICES names them: one process each on CUDA, where `processes` means nothing. */
  devices: string[]
  /** Processes that share the CPU's threads, each with a batch of its own. Native TensorFlow has one whatever it says. */
  processes: number
  /** Inputs of one batch at the most. */
  maxBatchSize: number
}

/** How a member's state reads for the whole, the best first. */
const BEST_FIRST: EngineState[] = ['ready', 'starting', 'restarting', 'stopped', 'failed']

/**
 * The engine as one, however many processes it has: one per GPU, or a few that share the CPU. Each is kept alive on its
 * own; a batch goes to the one that is least busy. It has failed only when all of them have.
 *
 * On a CPU, processes that each compute a batch on a part of the threads get more done than one that spreads every batch
 * over all of them: no thread waits at the end of each operator for another that HTTP has pushed off its core. A batch
 * that is alone goes to the first process, which can take all threads for it.
 */
export class EnginePool {
  /** Called when what is offered may have changed, other than by a batch's start or end. */
  onOfferChange: () => void = () => {}
  readonly #options: EnginePoolOptions
  readonly #members: Member[] = []

  constructor(options: EnginePoolOptions) {
    this.#options = options
  }

  get state(): EngineState {
    const states = new Set(this.#members.map(({ supervisor }) => supervisor.state))
    return BEST_FIRST.find((state) => states.has(state)) ?? 'stopped'
  }

  /** Processes, those that are restarting included. */
  get count(): number {
    return this.#members.length
  }

  /** Processes that compute. */
  get ready(): number {
    return this.#ready.length
  }

  /** Where a batch may go now, while `waiting` inputs wait in all; see `offer`. */
  offer(waiting: number): Place | undefined {
    const takesAllThreads = this.#members[0]?.supervisor.info?.takesAllThreads ?? false
    return offer(this.#ready, waiting, { takesAllThreads, maxBatchSize: this.#options.maxBatchSize })
  }

  /** What runs, and what was passed over; undefined before the first start has succeeded. */
  get info(): OpenedInfo | undefined {
    const info = this.#members[0]?.supervisor.info
    return info && { ...info, details: { ...info.details, processes: this.#members.length } }
  }

  /** On CUDA in the order of `devices`. */
  get members(): Pick<EngineSupervisor, 'state' | 'info' | 'pid' | 'restarts' | 'vitals'>[] {
    return this.#members.map(({ supervisor }) => supervisor)
  }

  get restarts(): number {
    return this.#members.reduce((sum, { supervisor }) => sum + supervisor.restarts, 0)
  }

  /** Of all processes together, as of their last pulses. */
  get vitals(): Vitals {
    const all = this.#members.flatMap(({ supervisor }) => supervisor.vitals ?? [])
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
    const [loaded] = await Promise.all(this.#members.map(({ supervisor }) => supervisor.load(key, entry)))
    if (loaded === undefined) throw new Error('load before start')
    return loaded
  }

  async unload(key: string): Promise<void> {
    await Promise.all(this.#members.map(({ supervisor }) => supervisor.unload(key)))
  }

  /**
   * Rejects with `engine_unavailable` when no process is ready or the one that had the batch ended, and with a plain Error
   * when the model fails.
   */
  async run(key: string, batch: Omit<Batch, 'threads'>): Promise<Outputs> {
    const { input, batchSize } = batch
    const member = this.#leastBusy()
    const alone = this.#members.every((other) => other === member || other.batches === 0)
    member.batches++
    member.inputs += batchSize
    try {
      return await member.supervisor.run(key, { input, batchSize, threads: alone ? 'all' : 'share' })
    } finally {
      member.batches--
      member.inputs -= batchSize
    }
  }

  async stop(): Promise<void> {
    await Promise.all(this.#members.map(({ supervisor }) => supervisor.stop()))
  }

  get #ready(): Member[] {
    return this.#members.filter(({ supervisor }) => supervisor.state === 'ready')
  }

  /** A ready one; when none is, any, whose refusal says how things stand. */
  #leastBusy(): Member {
    const ready = this.#ready
    const [first, ...rest] = ready.length > 0 ? ready : this.#members
    if (first === undefined) throw new Error('run before start')
    return rest.reduce((best, member) => (member.batches < best.batches ? member : best), first)
  }

  /** For each further process on the CPU the device that it has, which is none. */
  #besideOnCpu(engine: EngineName): undefined[] {
    return engine === 'tensorflow' ? [] : new Array<undefined>(this.#options.processes - 1).fill(undefined)
  }

  #add(device: string | undefined, engine = this.#options.engine): EngineSupervisor {
    const { options, processes, onFatal, log } = this.#options
    const index = this.#members.length
    const name = device !== undefined ? `GPU ${device}: ` : processes > 1 ? `process ${index + 1}: ` : ''
    const share = processes > 1 ? { index, count: processes } : undefined
    const supervisor = new EngineSupervisor({
      ...this.#options,
      engine,
      options: { ...options, share, gpu: { ...options.gpu, device } },
      log: (level, message) => log(level, `${name}${message}`),
      onStateChange: () => this.onOfferChange(),
      onFatal: (reason) => {
        if (this.state === 'failed') onFatal(`${name}${reason}`)
        else log('error', `${name}${reason}; the others go on`)
      },
    })
    this.#members.push({ supervisor, batches: 0, inputs: 0 })
    return supervisor
  }
}

/** What a process has to do: the batch that it computes, and perhaps one that waits there for its turn. */
interface Load {
  batches: number
  inputs: number
}

interface Member extends Load {
  supervisor: EngineSupervisor
}

/**
 * Where a batch may go: to a process that has none (`compute`), or to wait behind the one batch that a process computes
 * (`ahead`), so that the process has work again before answers are written.
 *
 * A batch goes ahead, and leaves the first process that could take all threads for it, only when that is worth it: when
 * as many inputs wait as are being computed per batch, and a quarter of a batch at least.
 */
export function offer(
  ready: readonly Load[],
  waiting: number,
  { takesAllThreads, maxBatchSize }: { takesAllThreads: boolean; maxBatchSize: number },
): Place | undefined {
  const busy = ready.filter(({ batches }) => batches > 0)
  const firstIsFree = ready[0]?.batches === 0
  if (busy.length < ready.length && (firstIsFree || !takesAllThreads)) return 'compute'
  const batches = busy.reduce((sum, load) => sum + load.batches, 0)
  const inputs = busy.reduce((sum, load) => sum + load.inputs, 0)
  if (waiting < Math.max(maxBatchSize / 4, inputs / batches)) return undefined
  if (busy.length < ready.length) return 'compute'
  return busy.some((load) => load.batches === 1) ? 'ahead' : undefined
}

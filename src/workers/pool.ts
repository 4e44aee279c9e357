import type { Place } from '../batching/engine-schedule.ts'
import type { Outputs } from '../engines/engine.ts'
import type { RepositoryEntry } from '../repository/repository.ts'
import type { InputBatch, LoadedInfo, OpenedInfo, Vitals } from './protocol.ts'
import { type EngineState, EngineSupervisor, type EngineSupervisorOptions } from './supervisor.ts'

export interface EnginePoolOptions extends Omit<EngineSupervisorOptions, 'onStateChange'> {
  /** GPUs as in CUDA_VISIBLE_DEVICES. On CUDA, each has one process, and `processes` is ignored. */
  devices: string[]
  /** Processes that share the CPU's threads, each with its own batch. Native TensorFlow always has one. */
  processes: number
}

/** The pool has the best state of its members. */
const BEST_FIRST: EngineState[] = ['ready', 'starting', 'restarting', 'stopped', 'failed']

/**
 * All engine processes as one: one per GPU, or a few that share the CPU. Each has its own supervisor. A batch goes to the
 * least busy process. The pool has failed only when all processes have.
 *
 * On a CPU, several processes with a part of the threads each do more than one process with all threads: at the end of
 * every operator, a batch's threads wait for the slowest, which HTTP may have pushed off its core. A single batch goes to
 * the first process, which can use all threads for it.
 */
export class EnginePool {
  /** Called when `offer` may have changed for another reason than a batch's start or end. */
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

  /** Number of processes, including those that restart. */
  get count(): number {
    return this.#members.length
  }

  /** Number of processes that can compute. */
  get ready(): number {
    return this.#ready.length
  }

  /** Where the next batch, of at most `maxBatchSize`, may go while `waiting` inputs wait; see the function `offer`. */
  offer(waiting: number, maxBatchSize: number): Place | undefined {
    const takesAllThreads = this.#members[0]?.supervisor.info?.takesAllThreads ?? false
    return offer(this.#ready, waiting, { takesAllThreads, maxBatchSize })
  }

  /** Undefined before the first successful start. */
  get info(): OpenedInfo | undefined {
    const info = this.#members[0]?.supervisor.info
    return info && { ...info, details: { ...info.details, processes: this.#members.length } }
  }

  /** On CUDA, in the order of `devices`. */
  get members(): Pick<EngineSupervisor, 'state' | 'info' | 'pid' | 'restarts' | 'vitals'>[] {
    return this.#members.map(({ supervisor }) => supervisor)
  }

  get restarts(): number {
    return this.#members.reduce((sum, { supervisor }) => sum + supervisor.restarts, 0)
  }

  /** Sums over all processes, as of their last pulses. */
  get vitals(): Vitals {
    const all = this.#members.flatMap(({ supervisor }) => supervisor.vitals ?? [])
    return {
      residentBytes: all.reduce((sum, { residentBytes }) => sum + residentBytes, 0),
      liveTensors: all.reduce((sum, { liveTensors = 0 }) => sum + liveTensors, 0),
    }
  }

  /**
   * Opens the engine in the first process, which resolves `auto`, and then in the others. Rejects with the reason if one
   * fails; there is no second try.
   */
  async start(): Promise<OpenedInfo> {
    const [first, ...further] = this.#options.devices
    const info = await this.#add(first).start()
    const onCpu = new Array<undefined>(info.engine === 'tensorflow' ? 0 : this.#options.processes - 1).fill(undefined)
    const others = info.engine === 'cuda' ? further : onCpu
    await Promise.all(others.map((device) => this.#add(device, info.engine).start()))
    return info
  }

  /**
   * Loads and warms up a model in every process, now and after each restart. Batches wait meanwhile: this is for the start.
   * Rejects with the reason if one fails.
   */
  async load(key: string, entry: RepositoryEntry): Promise<LoadedInfo> {
    const [loaded] = await Promise.all(this.#members.map(({ supervisor }) => supervisor.load(key, entry)))
    if (loaded === undefined) throw new Error('load before start')
    return loaded
  }

  /**
   * Gives every process a fresh one with these models in its place, one after the other, so that there is one process more
   * at a time. Returns what is said of `wanted`. Rejects with the reason if `wanted` cannot be loaded in one of them: those
   * before it have it then, which does no harm. `keep` is what goes on being asked for meanwhile; see `EngineSupervisor`.
   */
  async replace(
    entries: ReadonlyMap<string, RepositoryEntry>,
    { wanted, keep }: { wanted?: string; keep: ReadonlySet<string> },
  ): Promise<LoadedInfo | undefined> {
    let first: LoadedInfo | undefined
    for (const { supervisor } of this.#members) {
      const loaded = await supervisor.replace(entries, wanted)
      supervisor.keep(keep)
      first ??= loaded
    }
    return first
  }

  /** Ends what `replace` has under way, which rejects. */
  abandon(): void {
    for (const { supervisor } of this.#members) supervisor.abandon()
  }

  /** Ends the processes that were replaced and that nobody needs for one of these models. */
  keep(keys: ReadonlySet<string>): void {
    for (const { supervisor } of this.#members) supervisor.keep(keys)
  }

  /**
   * Rejects with `engine_unavailable` if no process is ready or the one with the batch ends, and with a plain Error if the
   * model fails.
   */
  async run(key: string, { inputs, batchSize }: Omit<InputBatch, 'threads'>): Promise<Outputs> {
    const member = this.#leastBusy(key)
    const alone = this.#members.every((other) => other === member || other.batches === 0)
    member.batches++
    member.inputs += batchSize
    try {
      return await member.supervisor.run(key, { inputs, batchSize, threads: alone ? 'all' : 'share' })
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

  /** The least busy ready member that has the model. If there is none any, whose refusal gives the reason. */
  #leastBusy(key: string): Member {
    const ready = this.#ready.filter(({ supervisor }) => supervisor.has(key))
    const [first, ...rest] = ready.length > 0 ? ready : this.#members
    if (first === undefined) throw new Error('run before start')
    return rest.reduce((best, member) => (member.batches < best.batches ? member : best), first)
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

/** What a process has: the batch that it computes, and perhaps one that waits behind it. */
interface Load {
  batches: number
  inputs: number
}

interface Member extends Load {
  supervisor: EngineSupervisor
}

/**
 * Where the next batch may go: to a process without a batch (`compute`), or behind the only batch of a process (`ahead`), so
 * that this process has work again before answers are written.
 *
 * A batch goes ahead, or to another process than the first where that one uses all threads, only if it is large enough: as
 * many inputs wait as the average running batch has, and at least a quarter of a full batch. A full batch is large enough,
 * whatever other models' batches have.
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
  if (waiting < Math.min(maxBatchSize, Math.max(maxBatchSize / 4, inputs / batches))) return undefined
  if (busy.length < ready.length) return 'compute'
  return busy.some((load) => load.batches === 1) ? 'ahead' : undefined
}

import { type BatchEngine, Batcher } from '../../src/batching/batcher.ts'
import type { Clock } from '../../src/batching/clock.ts'
import type { Place } from '../../src/batching/engine-schedule.ts'
import { ServeError } from '../../src/errors.ts'
import { offer } from '../../src/workers/pool.ts'

/** Milliseconds that all threads of a replica take for a batch; drawn anew for each. */
export type ServiceTime = (batchSize: number) => number

export interface ReplicaOptions {
  clock: Clock
  serviceTime: ServiceTime
  /** Engine processes that share the CPU; 1 on a GPU. */
  processes: number
  /** As the engine says it of itself: onnx does, wasm and cuda do not. */
  takesAllThreads: boolean
  maxBatchSize: number
  maxQueueSize: number
  /** `ms` is what it would take on all threads, whatever it has. */
  onBatch: (size: number, ms: number) => void
}

/** A replica in virtual time: the product's own batcher and rule of where a batch may go, and an engine that only takes its time. */
export class Replica {
  /** Requests that it has. */
  inFlight = 0
  readonly #batcher: Batcher<'model', undefined, object>
  readonly #clock: Clock

  constructor(options: ReplicaOptions) {
    this.#clock = options.clock
    this.#batcher = new Batcher(new Engine(options), {
      maxBatchSizeOf: () => options.maxBatchSize,
      batchTimeoutMs: 0,
      maxQueueSize: options.maxQueueSize,
      clock: options.clock,
    })
  }

  /** A request of one input: how long it waited for its batch (ms), or undefined if it was refused or expired. */
  async ask(timeoutMs: number): Promise<number | undefined> {
    this.inFlight++
    try {
      const [answer] = await this.#batcher.submit('model', [undefined], { deadline: this.#clock.now() + timeoutMs })
      return answer instanceof ServeError ? undefined : answer?.queueMs
    } catch (error) {
      if (error instanceof ServeError) return undefined
      throw error
    } finally {
      this.inFlight--
    }
  }
}

/** What `EnginePool` does with batches, where every process takes them one at a time, in the order sent. */
class Engine implements BatchEngine<'model', undefined, object> {
  readonly #options: ReplicaOptions
  readonly #processes: { batches: number; inputs: number; freeAt: number }[]

  constructor(options: ReplicaOptions) {
    this.#options = options
    this.#processes = Array.from({ length: options.processes }, () => ({ batches: 0, inputs: 0, freeAt: 0 }))
  }

  get count(): number {
    return this.#processes.length
  }

  get ready(): number {
    return this.#processes.length
  }

  offer(waiting: number, maxBatchSize: number): Place | undefined {
    return offer(this.#processes, waiting, { takesAllThreads: this.#options.takesAllThreads, maxBatchSize })
  }

  run(_key: 'model', inputs: undefined[]): Promise<object[]> {
    const { clock, serviceTime, onBatch } = this.#options
    const process = this.#processes.reduce((best, other) => (other.batches < best.batches ? other : best))
    // The only batch has all threads. Otherwise each process has its share of them, and takes that much longer.
    const alone = this.#processes.every((other) => other === process || other.batches === 0)
    const ms = serviceTime(inputs.length)
    onBatch(inputs.length, ms)
    process.batches++
    process.inputs += inputs.length
    process.freeAt = Math.max(process.freeAt, clock.now()) + (alone ? 1 : this.#processes.length) * ms
    return new Promise((resolve) => {
      clock.after(process.freeAt - clock.now(), () => {
        process.batches--
        process.inputs -= inputs.length
        resolve(inputs.map(() => ({})))
      })
    })
  }
}

import { ServeError, toServeError } from '../errors.ts'
import type { Clock } from './clock.ts'
import { EngineSchedule, type Place } from './engine-schedule.ts'
import { FairQueue, type Item } from './fair-queue.ts'
import { type Answer, Job, type Priority, type SubmitOptions, throwIfCanceled } from './job.ts'

/**
 * Why a batch was sent: it was full, its oldest item had waited long enough (`timeout`), the engine was free (`idle`),
 * enough items waited to send it `ahead`, or its first run failed or lost its engine (`retry`).
 */
export type DispatchReason = 'full' | 'timeout' | 'idle' | 'ahead' | 'retry'

/** Computes batches: one engine, or several equal ones. */
export interface BatchEngine<Key, Input, Output extends object> {
  /** Number of engines. All may end at once, so a batch is retried this often when it loses its engine. */
  readonly count: number
  /** Engines that can compute now; 0 while all restart. */
  readonly ready: number
  /**
   * Where the next batch, of at most `maxBatchSize` items, may go while `waiting` items wait in all; undefined: nowhere
   * yet. When the answer changes for another reason than a batch's start or end, `Batcher.wake` must be called.
   */
  offer(waiting: number, maxBatchSize: number): Place | undefined
  /**
   * Computes one batch, all of one key. One output per input, in order. Rejects with `engine_unavailable` when the engine
   * ended; any other rejection is blamed on the inputs.
   */
  run(key: Key, inputs: Input[]): Promise<Output[]>
}

export interface BatcherOptions<Key> {
  /** Most items in one batch of a key; always the same. */
  maxBatchSizeOf: (key: Key) => number
  /** Milliseconds that a batch may wait to fill up while the engine is free; 0 sends it at once. */
  batchTimeoutMs: number
  /** Most items waiting; beyond it `submit` refuses with `queue_full`. */
  maxQueueSize: number
  /** The same for low requests; less, so that they leave room to normal ones. `maxQueueSize` unless given. */
  maxLowQueueSize?: number
  clock: Clock
  onBatch?: (batch: ComputedBatch<Key>) => void
}

export interface ComputedBatch<Key> {
  key: Key
  size: number
  reason: DispatchReason
  /** Clock ms. */
  startedAt: number
  computeMs: number
  /** What it held; the items of one request have the same job. */
  items: readonly { job: { submittedAt: number; context: unknown } }[]
}

/**
 * Gathers items from many requests into batches. Work-conserving: a free engine takes what is queued at once; while it is
 * busy, work gathers. A batch holds one key. Guarantees:
 *
 * - Every submitted item is answered exactly once, with its own output or a ServeError, in the order submitted.
 * - Requests take turns, so a large one does not starve small ones.
 * - Normal requests go before low ones. While both wait, one input in eight is a low one, so that bulk work never starves;
 *   where their keys differ, this share is given in whole batches.
 * - An item that expired or was canceled before its batch is run, or run again, never reaches `run`.
 * - Nor does an item that would expire before its batch ends at twice the measured speed, while there is other work.
 * - The engine gets its next batch before the answers of the last are given.
 * - A batch that fails is run again in halves, so that a poisonous item fails alone.
 * - A batch that loses its engine is run again before anything that still waits.
 * - The queue is bounded, and refuses at once when full.
 */
export class Batcher<Key, Input, Output extends object> {
  readonly #engine: BatchEngine<Key, Input, Output>
  readonly #options: BatcherOptions<Key>
  readonly #queue = new FairQueue<BatchJob<Key, Input, Output>>()
  readonly #schedule: EngineSchedule<Key>
  /** Batches to be computed again. */
  readonly #retries: Pick<Batch<Key, Input, Output>, 'items' | 'losses'>[] = []
  #stopHold: (() => void) | undefined
  #draining: { promise: Promise<void>; resolve: () => void } | undefined

  constructor(engine: BatchEngine<Key, Input, Output>, options: BatcherOptions<Key>) {
    this.#engine = engine
    this.#options = options
    this.#schedule = new EngineSchedule({ ...options, concurrency: () => engine.ready })
  }

  /** Items waiting, without those that the engine has. */
  get queueDepth(): number {
    return this.#queue.size
  }

  /** Whole seconds until what waits now is done, from 1 to 60. */
  get retryAfterS(): number {
    const everything = this.#queue.ahead(Number.POSITIVE_INFINITY)
    return Math.min(Math.max(Math.ceil(this.#schedule.msUntilDone(everything) / 1000), 1), 60)
  }

  /**
   * Why a request of `items` under `key` would be refused now: `draining`, `deadline_exceeded`, `queue_full`, or
   * `deadline_unreachable` at the measured speed. A request that fits into the next batch is never unreachable: it costs
   * little if it is late, and the speed must be measured again.
   */
  refusal(
    key: Key,
    items: number,
    deadline = Number.POSITIVE_INFINITY,
    priority: Priority = 'normal',
  ): ServeError | undefined {
    const { clock, maxBatchSizeOf, maxQueueSize, maxLowQueueSize = maxQueueSize } = this.#options
    if (this.#draining) return new ServeError('draining', 'the server is shutting down', { retryAfterS: 1 })
    const msLeft = deadline - clock.now()
    if (msLeft <= 0) return new ServeError('deadline_exceeded', 'the deadline passed before the request was queued')
    if (items === 0) return undefined
    if (this.#queue.size + items > (priority === 'low' ? maxLowQueueSize : maxQueueSize)) {
      return new ServeError('queue_full', 'the queue is full', { retryAfterS: this.retryAfterS })
    }
    const maxBatchSize = maxBatchSizeOf(key)
    if (this.#queue.size + items <= maxBatchSize) return undefined
    const leavesAtOnce = this.#queue.size === 0 && this.#engine.offer(items, maxBatchSize) === 'compute'
    if (leavesAtOnce) return undefined
    const work = this.#queue.ahead(items, priority)
    const place = items + [...work.values()].reduce((sum, count) => sum + count, 0)
    if (place <= maxBatchSize) return undefined
    const own = items + (work.get(key) ?? 0)
    // This key comes last, since the end of its batches is asked for.
    work.delete(key)
    work.set(key, own)
    if (this.#schedule.canMeet(msLeft, work)) return undefined
    const detail = 'the work ahead takes longer than the deadline allows'
    return new ServeError('deadline_unreachable', detail, { retryAfterS: this.retryAfterS })
  }

  /**
   * Queues `inputs` as one request. Resolves when each has its answer, which may be a ServeError. Rejects with `canceled`
   * or the `refusal` when nothing was accepted.
   */
  async submit(key: Key, inputs: Input[], options: SubmitOptions = {}): Promise<(Answer<Output> | ServeError)[]> {
    throwIfCanceled(options)
    const refusal = this.refusal(key, inputs.length, options.deadline, options.priority)
    if (refusal) throw refusal
    const onGiveUp = (): void => {
      this.#queue.remove(entry)
      if (this.#queue.size === 0) this.#stopHold?.()
    }
    const job: BatchJob<Key, Input, Output> = new Job({ key, inputs, clock: this.#options.clock, onGiveUp }, options)
    const entry = this.#queue.add(job)
    this.wake()
    return await job.settled
  }

  /** Stops accepting; resolves when everything accepted has been answered. */
  drain(): Promise<void> {
    if (!this.#draining) {
      let resolve = (): void => {}
      const promise = new Promise<void>((done) => {
        resolve = done
      })
      this.#draining = { promise, resolve }
    }
    this.wake()
    return this.#draining.promise
  }

  /** Sends what the engine takes now. */
  wake(): void {
    this.#stopHold?.()
    this.#stopHold = undefined
    for (let batch = this.#nextBatch(); batch; batch = this.#nextBatch()) void this.#run(batch)
    const done = this.#schedule.isIdle && this.#queue.size === 0 && this.#retries.length === 0
    if (done) this.#draining?.resolve()
  }

  /** The batch to send now; undefined when nothing waits, the engine offers no place, or the batch is held to fill up. */
  #nextBatch(): Batch<Key, Input, Output> | undefined {
    const [retry] = this.#retries
    const first = retry?.items[0] ?? this.#queue.peek()
    if (first === undefined) return undefined
    const waiting = this.#queue.size + (retry?.items.length ?? 0)
    const place = this.#engine.offer(waiting, this.#options.maxBatchSizeOf(first.job.key))
    if (place === undefined) return undefined
    if (retry) {
      this.#retries.shift()
      return { ...retry, place, reason: 'retry' }
    }
    const { key, holdMs } = this.#next(place)
    if (holdMs > 0) {
      if (holdMs < Number.POSITIVE_INFINITY) this.#stopHold = this.#options.clock.after(holdMs, () => this.wake())
      return undefined
    }
    const items = this.#take(key, place)
    return items.length === 0 ? undefined : { items, place, reason: this.#reason(items, place), losses: 0 }
  }

  /**
   * The key of the next batch, and the milliseconds to hold it (infinite if there is no batch for this place): of the keys
   * with the shortest hold, the first in turn. No key means whichever is first in turn.
   */
  #next(place: Place): { key?: Key; holdMs: number } {
    const { batchTimeoutMs, maxBatchSizeOf, clock } = this.#options
    if (batchTimeoutMs === 0 || this.#draining) return { holdMs: 0 }
    let next: { key?: Key; holdMs: number } = { holdMs: Number.POSITIVE_INFINITY }
    for (const [key, { count, oldestAt }] of this.#queue.waiting()) {
      const isFull = count >= maxBatchSizeOf(key)
      // A batch sent ahead can no longer grow. Where batches are held to fill up, it must be full.
      if (place === 'ahead' && !isFull) continue
      const holdMs = isFull ? 0 : Math.max(0, oldestAt + batchTimeoutMs - clock.now())
      if (holdMs < next.holdMs) next = { key, holdMs }
    }
    return next
  }

  /**
   * The items of the next batch: those that can be answered in time, and those that have expired, which `#stillWanted`
   * drops. The rest stays in the queue and expires there, unless the engine is idle: it then takes them, which measures its
   * speed again. Nothing goes ahead before a speed is measured, since it can no longer be dropped.
   */
  #take(key: Key | undefined, place: Place): BatchItem<Key, Input, Output>[] {
    const { maxBatchSizeOf, clock } = this.#options
    const now = clock.now()
    const waiting = this.#queue.size
    let forecast: { key: Key; end: number | undefined } | undefined
    const fits = ({ key, deadline }: BatchJob<Key, Input, Output>): boolean => {
      if (deadline <= now) return true
      // Most jobs have the key of the one before.
      if (forecast === undefined || forecast.key !== key) {
        forecast = { key, end: this.#schedule.earliestEnd(key, Math.min(waiting, maxBatchSizeOf(key)), place) }
      }
      return forecast.end === undefined ? place === 'compute' : deadline > forecast.end
    }
    const timely = this.#queue.take(maxBatchSizeOf, { key, fits })
    if (timely.length > 0) return timely
    if (this.#schedule.isIdle) return this.#queue.take(maxBatchSizeOf, { key })
    // This key has nothing timely; another may.
    return key === undefined ? [] : this.#queue.take(maxBatchSizeOf, { fits })
  }

  #reason(items: BatchItem<Key, Input, Output>[], place: Place): DispatchReason {
    const { maxBatchSizeOf, batchTimeoutMs } = this.#options
    const [first] = items
    if (first && items.length >= maxBatchSizeOf(first.job.key)) return 'full'
    if (place === 'ahead') return 'ahead'
    return batchTimeoutMs > 0 && !this.#draining ? 'timeout' : 'idle'
  }

  /** Computes a batch, then answers its items or queues them again. */
  async #run({ items: batch, place, reason, losses }: Batch<Key, Input, Output>): Promise<void> {
    const items = this.#stillWanted(batch)
    const [first] = items
    if (first === undefined) return
    const { key } = first.job
    const scheduled = this.#schedule.add(key, items.length, place)
    const result = await this.#compute(key, items)
    const failed = result instanceof ServeError
    const startedAt = this.#schedule.end(scheduled, !failed)
    const computeMs = this.#options.clock.now() - startedAt
    if (!failed) this.#options.onBatch?.({ key, size: items.length, reason, startedAt, computeMs, items })
    const again = failed && this.#retry(items, losses, result)
    // The engine first: it would idle while answers are written.
    this.wake()
    if (again) return
    for (const [i, { job, index }] of items.entries()) {
      const queueMs = Math.max(0, startedAt - job.submittedAt)
      const cost = { queueMs, computeMs, batchSize: items.length }
      job.settle(index, failed ? result : { ...(result[i] as Output), ...cost })
    }
  }

  async #compute(key: Key, items: BatchItem<Key, Input, Output>[]): Promise<Output[] | ServeError> {
    try {
      const inputs = items.map(({ job, index }) => job.inputs[index] as Input)
      const outputs = await this.#engine.run(key, inputs)
      if (outputs.length !== items.length) throw new Error(`${outputs.length} outputs for ${items.length} inputs`)
      return outputs
    } catch (error) {
      return toServeError(error, 'inference_failed', 'the model failed on this input')
    }
  }

  /**
   * Queues a failed batch before everything that waits: whole if its engine ended, else in halves. False when it has lost
   * too many engines or is a single item; the error is then the answer.
   */
  #retry(items: BatchItem<Key, Input, Output>[], losses: number, { code }: ServeError): boolean {
    if (code === 'engine_unavailable') {
      if (losses >= this.#engine.count) return false
      this.#retries.push({ items, losses: losses + 1 })
      return true
    }
    if (items.length === 1) return false
    const middle = Math.ceil(items.length / 2)
    this.#retries.unshift({ items: items.slice(0, middle), losses }, { items: items.slice(middle), losses })
    return true
  }

  /** Drops items that nobody waits for. Fails those whose deadline has passed, even if their timer is late. */
  #stillWanted(items: BatchItem<Key, Input, Output>[]): BatchItem<Key, Input, Output>[] {
    const now = this.#options.clock.now()
    return items.filter(({ job, index }) => {
      job.expireAt(now)
      return job.waitsFor(index)
    })
  }
}

type BatchJob<Key, Input, Output> = Job<Key, Input, Answer<Output>>
type BatchItem<Key, Input, Output> = Item<BatchJob<Key, Input, Output>>

interface Batch<Key, Input, Output> {
  items: BatchItem<Key, Input, Output>[]
  place: Place
  reason: DispatchReason
  /** Engines that ended while they had it. */
  losses: number
}

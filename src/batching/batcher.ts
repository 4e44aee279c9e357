import { ServeError, toServeError } from '../errors.ts'
import type { Clock } from './clock.ts'
import { EngineSchedule, type Place } from './engine-schedule.ts'
import { FairQueue, type Item } from './fair-queue.ts'
import { type Answer, Job, type SubmitOptions } from './job.ts'

/**
 * Why a batch left when it did: it was full, its oldest item had waited long enough, the engine was free, it was sent
 * ahead while another computed, or it is computed again after its engine ended or its first run failed.
 */
export type DispatchReason = 'full' | 'timeout' | 'idle' | 'ahead' | 'retry'

/** What computes batches: one engine, or several that are alike. */
export interface BatchEngine<Key, Input, Output extends object> {
  /** Engines there are. All may end at the same moment, so a batch that loses its engine is computed again as often. */
  readonly count: number
  /** Of them, those that compute side by side now; 0 while all restart. */
  readonly ready: number
  /**
   * Whether a batch may be sent now, while `waiting` items wait in all: to be computed at once, or to wait with the
   * engine behind one that is. Undefined: not now. `Batcher.wake` tells that the answer has changed, unless that came by a
   * batch's start or end.
   */
  offer(waiting: number): Place | undefined
  /**
   * Computes one batch, all of one key: one output per input, in order. Rejects with `engine_unavailable` when the engine
   * ended, which is not the inputs' doing; any other rejection is.
   */
  run(key: Key, inputs: Input[]): Promise<Output[]>
}

export interface BatcherOptions<Key> {
  /** Items of one batch at the most. */
  maxBatchSize: number
  /** Milliseconds an underfull batch may wait for company while the engine is free; 0 never holds it. */
  batchTimeoutMs: number
  /** Items waiting at the most; beyond it `submit` refuses with `queue_full`. */
  maxQueueSize: number
  clock: Clock
  onBatch?: (batch: { key: Key; size: number; computeMs: number; reason: DispatchReason }) => void
}

/**
 * Gathers items from many requests into batches. Work-conserving: a free engine takes what is queued at once, and work
 * gathers while it is busy. A batch holds one key. Guarantees:
 *
 * - every submitted item is answered exactly once, with its own output or a ServeError, in the order submitted;
 * - requests take turns, so one of many items does not starve small ones;
 * - an item that is expired or canceled before its batch forms, or forms again, never reaches `run`;
 * - nor does one that would expire before its batch ends at twice the measured speed, while there is other work;
 * - the engine's next work leaves before the answers of its last are given;
 * - a batch that fails is computed again in halves, so that one poisonous item fails alone;
 * - a batch whose engine ended is computed again when there is one, ahead of what was queued after it;
 * - nothing waits without a bound: the queue is bounded, and a full one refuses at once.
 */
export class Batcher<Key, Input, Output extends object> {
  readonly #engine: BatchEngine<Key, Input, Output>
  readonly #options: BatcherOptions<Key>
  readonly #queue = new FairQueue<Job<Key, Input, Answer<Output>>>()
  readonly #schedule: EngineSchedule
  /** Batches to be computed again. */
  readonly #retries: Pick<Batch<Key, Input, Output>, 'items' | 'losses'>[] = []
  #stopHold: (() => void) | undefined
  #draining: { promise: Promise<void>; resolve: () => void } | undefined

  constructor(engine: BatchEngine<Key, Input, Output>, options: BatcherOptions<Key>) {
    this.#engine = engine
    this.#options = options
    this.#schedule = new EngineSchedule({ ...options, concurrency: () => engine.ready })
  }

  /** Items waiting; those being computed are not counted. */
  get queueDepth(): number {
    return this.#queue.size
  }

  /** Whole seconds until what waits now is done, from 1 to 60. */
  get retryAfterS(): number {
    return Math.min(Math.max(Math.ceil(this.#schedule.msUntilDone(this.#queue.size) / 1000), 1), 60)
  }

  /**
   * Why a request of `items` would be refused at this moment: `draining`, `deadline_exceeded`, `queue_full`, or
   * `deadline_unreachable` when the measured speed of the engine cannot meet the deadline. What leaves at once or with the
   * very next batch is not judged: it costs the engine nothing if it turns out late, and what was measured once must be
   * measured again.
   */
  refusal(items: number, deadline = Number.POSITIVE_INFINITY): ServeError | undefined {
    const { clock, maxBatchSize, maxQueueSize } = this.#options
    if (this.#draining) return new ServeError('draining', 'the server is shutting down', { retryAfterS: 1 })
    const msLeft = deadline - clock.now()
    if (msLeft <= 0) return new ServeError('deadline_exceeded', 'the deadline passed before the request was queued')
    if (items === 0) return undefined
    if (this.#queue.size + items > maxQueueSize) {
      return new ServeError('queue_full', 'the queue is full', { retryAfterS: this.retryAfterS })
    }
    const place = this.#queue.ahead(items) + items
    const leavesAtOnce = this.#queue.size === 0 && this.#engine.offer(items) === 'compute'
    if (leavesAtOnce || place <= maxBatchSize) return undefined
    if (this.#schedule.canMeet(msLeft, this.#schedule.itemsAhead + place)) return undefined
    const detail = 'the work ahead takes longer than the deadline allows'
    return new ServeError('deadline_unreachable', detail, { retryAfterS: this.retryAfterS })
  }

  /**
   * Queues `inputs` as one request. Resolves once each has its answer; a failure of one item is its answer, not a
   * rejection. Rejects with `canceled`, or as `refusal` says, when nothing was accepted.
   */
  async submit(key: Key, inputs: Input[], options: SubmitOptions = {}): Promise<(Answer<Output> | ServeError)[]> {
    if (options.signal?.aborted) throw new ServeError('canceled', 'the client went away')
    const refusal = this.refusal(inputs.length, options.deadline)
    if (refusal) throw refusal
    const job: Job<Key, Input, Answer<Output>> = new Job({
      ...options,
      key,
      inputs,
      clock: this.#options.clock,
      onGiveUp: () => {
        this.#queue.remove(job)
        if (this.#queue.size === 0) this.#stopHold?.()
      },
    })
    this.#queue.add(job)
    this.#dispatch()
    return await job.settled
  }

  /** Looks for work again: what the engine offers has changed. */
  wake(): void {
    this.#dispatch()
  }

  /** Accepts nothing more; resolves when everything accepted has been answered. */
  drain(): Promise<void> {
    if (!this.#draining) {
      let resolve = (): void => {}
      const promise = new Promise<void>((done) => {
        resolve = done
      })
      this.#draining = { promise, resolve }
    }
    this.#dispatch()
    return this.#draining.promise
  }

  #dispatch(): void {
    this.#stopHold?.()
    this.#stopHold = undefined
    for (let batch = this.#nextBatch(); batch; batch = this.#nextBatch()) void this.#run(batch)
    const done = this.#schedule.isIdle && this.#queue.size === 0 && this.#retries.length === 0
    if (done) this.#draining?.resolve()
  }

  /** The batch to send now; undefined when there is none, or the engine wants none, or it is held for company. */
  #nextBatch(): Batch<Key, Input, Output> | undefined {
    const [retry] = this.#retries
    const waiting = this.#queue.size + (retry?.items.length ?? 0)
    const place = waiting > 0 ? this.#engine.offer(waiting) : undefined
    if (place === undefined) return undefined
    if (retry) {
      this.#retries.shift()
      return { ...retry, place, reason: 'retry' }
    }
    const { batchTimeoutMs, maxBatchSize, clock } = this.#options
    // What goes ahead can no longer grow: where batches are held for company, it has to be full.
    if (place === 'ahead' && batchTimeoutMs > 0 && this.#queue.size < maxBatchSize) return undefined
    const { key, holdMs } = this.#next()
    if (holdMs > 0) {
      this.#stopHold = clock.after(holdMs, () => this.#dispatch())
      return undefined
    }
    const items = this.#take(key, place)
    return items.length === 0 ? undefined : { items, place, reason: this.#reason(items.length, place), losses: 0 }
  }

  /**
   * The key of the next batch and the milliseconds it should wait for company: the first in turn of those that need not
   * wait, else the one that has to wait the least. No key stands for the first in turn.
   */
  #next(): { key?: Key; holdMs: number } {
    const { batchTimeoutMs, maxBatchSize, clock } = this.#options
    if (batchTimeoutMs === 0 || this.#draining) return { holdMs: 0 }
    let next: { key?: Key; holdMs: number } = { holdMs: Number.POSITIVE_INFINITY }
    for (const [key, { count, oldestAt }] of this.#queue.waiting()) {
      const holdMs = count >= maxBatchSize ? 0 : Math.max(0, oldestAt + batchTimeoutMs - clock.now())
      if (holdMs < next.holdMs) next = { key, holdMs }
    }
    return next
  }

  /**
   * The items of the next batch: those that can be answered in time, and those that have expired already, which are told
   * so and left out when it runs. The others expire in the queue; but an engine that has nothing at all is given them, and
   * is measured again by that. Nothing goes ahead before it is known how long batches take, for it can no longer be
   * dropped.
   */
  #take(key: Key | undefined, place: Place): Item<Job<Key, Input, Answer<Output>>>[] {
    const { maxBatchSize, clock } = this.#options
    const end = this.#schedule.earliestEnd(Math.min(this.#queue.size, maxBatchSize), place)
    if (end === undefined) return place === 'ahead' ? [] : this.#queue.take(maxBatchSize, { key })
    const now = clock.now()
    const fits = ({ deadline }: Job<Key, Input, Answer<Output>>) => deadline > end || deadline <= now
    const timely = this.#queue.take(maxBatchSize, { key, fits })
    if (timely.length > 0) return timely
    if (this.#schedule.isIdle) return this.#queue.take(maxBatchSize, { key })
    // What this key has is left to expire: other keys need not wait for that.
    return key === undefined ? [] : this.#queue.take(maxBatchSize, { fits })
  }

  #reason(size: number, place: Place): DispatchReason {
    const { maxBatchSize, batchTimeoutMs } = this.#options
    if (size >= maxBatchSize) return 'full'
    if (place === 'ahead') return 'ahead'
    return batchTimeoutMs > 0 && !this.#draining ? 'timeout' : 'idle'
  }

  /** Computes a batch, and then answers its items, or has them computed again. */
  async #run({ items: batch, place, reason, losses }: Batch<Key, Input, Output>): Promise<void> {
    const items = this.#stillWanted(batch)
    const [first] = items
    if (first === undefined) return
    const { key } = first.job
    const scheduled = this.#schedule.add(items.length, place)
    const result = await this.#compute(key, items)
    const failed = result instanceof ServeError
    const startedAt = this.#schedule.end(scheduled, !failed)
    const computeMs = this.#options.clock.now() - startedAt
    if (!failed) this.#options.onBatch?.({ key, size: items.length, computeMs, reason })
    const again = failed && this.#retry(items, losses, result)
    // The engine first: answers take their time to be written, and it would idle for as long.
    this.#dispatch()
    if (again) return
    for (const [i, { job, index }] of items.entries()) {
      const queueMs = Math.max(0, startedAt - job.submittedAt)
      const cost = { queueMs, computeMs, batchSize: items.length }
      job.settle(index, failed ? result : { ...(result[i] as Output), ...cost })
    }
  }

  async #compute(key: Key, items: Item<Job<Key, Input, Answer<Output>>>[]): Promise<Output[] | ServeError> {
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
   * Queues a batch that failed, ahead of what waits: as a whole where its engine ended, else in halves. False when it has
   * lost too many engines, or is one item that fails alone: the error is then the answer.
   */
  #retry(items: Item<Job<Key, Input, Answer<Output>>>[], losses: number, { code }: ServeError): boolean {
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

  /** Drops what nobody waits for. Whoever's deadline passed is told so here, even if its timer is late. */
  #stillWanted(items: Item<Job<Key, Input, Answer<Output>>>[]): Item<Job<Key, Input, Answer<Output>>>[] {
    const now = this.#options.clock.now()
    return items.filter(({ job, index }) => {
      job.expireAt(now)
      return job.waitsFor(index)
    })
  }
}

interface Batch<Key, Input, Output extends object> {
  items: Item<Job<Key, Input, Answer<Output>>>[]
  place: Place
  reason: DispatchReason
  /** Engines that have ended under it. */
  losses: number
}

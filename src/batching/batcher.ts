import { ServeError, toServeError } from '../errors.ts'
import type { Clock } from './clock.ts'
import { type BatchItem, FairQueue } from './fair-queue.ts'
import { Forecast } from './forecast.ts'
import { type Answer, Job, type SubmitOptions } from './job.ts'
import { Twins } from './twins.ts'

/** Why a batch left when it did: it was full, its oldest item had waited long enough, or the engine was free. */
export type DispatchReason = 'full' | 'timeout' | 'idle'

export interface BatcherOptions<Key, Input, Output> {
  /** Items of one batch at the most. */
  maxBatchSize: number
  /** Milliseconds an underfull batch may wait for company while the engine is free; 0 never holds it. */
  batchTimeoutMs: number
  /** Items waiting at the most; beyond it `submit` refuses with `queue_full`. */
  maxQueueSize: number
  /** Batches with the engine at once. */
  concurrency: number
  /** Computes one batch, all of one key: one output per input, in order. A rejection is retried in halves. */
  run: (key: Key, inputs: Input[]) => Promise<Output[]>
  /** Inputs of one key and one identity have one answer, and are computed once while in flight. */
  identify?: (input: Input) => string
  clock: Clock
  onBatch?: (batch: { key: Key; size: number; computeMs: number; reason: DispatchReason }) => void
}

/**
 * Gathers items from many requests into batches. Work-conserving: a free engine takes what is queued at once, and work
 * gathers while it is busy. A batch holds one key. Guarantees:
 *
 * - every submitted item is answered exactly once, with its own output or a ServeError, in the order submitted;
 * - requests take turns, so one of many items does not starve small ones;
 * - an item that is expired or canceled before its batch forms never reaches `run`;
 * - nothing waits without a bound: the queue is bounded, and a full one refuses at once.
 */
export class Batcher<Key, Input, Output> {
  readonly #options: BatcherOptions<Key, Input, Output>
  readonly #queue = new FairQueue<Key, Input, Output>()
  readonly #inFlight = new Twins<Key, BatchItem<Key, Input, Output>>()
  readonly #forecast: Forecast
  #running = 0
  #stopHold: (() => void) | undefined
  #draining: { promise: Promise<void>; resolve: () => void } | undefined

  constructor(options: BatcherOptions<Key, Input, Output>) {
    this.#options = options
    this.#forecast = new Forecast(options)
  }

  /** Items waiting; those being computed are not counted. */
  get queueDepth(): number {
    return this.#queue.size
  }

  /** Whole seconds until what waits now is done, from 1 to 60. */
  get retryAfterS(): number {
    return Math.min(Math.max(Math.ceil(this.#forecast.msUntilDone(this.#queue.size) / 1000), 1), 60)
  }

  /**
   * Why a request of `items` would be refused at this moment: `draining`, `deadline_exceeded`, `queue_full`, or
   * `deadline_unreachable` when the measured speed of the engine cannot meet the deadline. What leaves at once or with the
   * very next batch is not judged: it costs the engine nothing if it turns out late, and what was measured once must be
   * measured again.
   */
  refusal(items: number, deadline = Number.POSITIVE_INFINITY): ServeError | undefined {
    const { clock, maxBatchSize, maxQueueSize, concurrency } = this.#options
    if (this.#draining) return new ServeError('draining', 'the server is shutting down', { retryAfterS: 1 })
    const msLeft = deadline - clock.now()
    if (msLeft <= 0) return new ServeError('deadline_exceeded', 'the deadline passed before the request was queued')
    if (items === 0) return undefined
    if (this.#queue.size + items > maxQueueSize) {
      return new ServeError('queue_full', 'the queue is full', { retryAfterS: this.retryAfterS })
    }
    const place = this.#queue.ahead(items) + items
    const idle = this.#running < concurrency && this.#queue.size === 0
    if (idle || place <= maxBatchSize || this.#forecast.canMeet(msLeft, place)) return undefined
    const detail = 'the work ahead takes longer than the deadline allows'
    return new ServeError('deadline_unreachable', detail, { retryAfterS: this.retryAfterS })
  }

  /**
   * Queues `inputs` as one request. Resolves once each has its answer; a failure of one item is its answer, not a
   * rejection. Rejects with `canceled`, or as `refusal` says, when nothing was accepted.
   */
  async submit(key: Key, inputs: Input[], options: SubmitOptions = {}): Promise<(Answer<Output> | ServeError)[]> {
    const { clock } = this.#options
    if (options.signal?.aborted) throw new ServeError('canceled', 'the client went away')
    const identities = inputs.map((input) => this.#options.identify?.(input))
    const refusal = this.refusal(this.#inFlight.countFresh(key, identities), options.deadline)
    if (refusal) throw refusal
    const job = new Job<Output>(inputs.length, options, clock)
    const lane = this.#queue.lane(key)
    for (const [index, input] of inputs.entries()) {
      const identity = identities[index]
      const twin = this.#inFlight.find(key, identity)
      const item = twin ?? lane.push(input, identity, clock.now())
      if (twin !== undefined) lane.join(twin)
      else this.#inFlight.add(item)
      item.waiters.push({ job, index })
      job.onAbandon(() => this.#abandon(item, job))
    }
    this.#dispatch()
    return await job.settled
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

  /** One request no longer waits for an item. When nobody else does, a queued item gives up its place. */
  #abandon(item: BatchItem<Key, Input, Output>, job: Job<Output>): void {
    item.waiters = item.waiters.filter((waiter) => waiter.job !== job)
    if (item.waiters.length > 0 || !this.#queue.remove(item)) return
    this.#inFlight.remove(item)
    if (this.#queue.size === 0) this.#stopHold?.()
  }

  #dispatch(): void {
    this.#stopHold?.()
    this.#stopHold = undefined
    while (this.#running < this.#options.concurrency && this.#queue.size > 0) {
      const { key, holdMs } = this.#next()
      if (holdMs > 0) {
        this.#stopHold = this.#options.clock.after(holdMs, () => this.#dispatch())
        return
      }
      void this.#runBatch(this.#queue.take(this.#options.maxBatchSize, key))
    }
    if (this.#running === 0) this.#draining?.resolve()
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

  async #runBatch(items: BatchItem<Key, Input, Output>[]): Promise<void> {
    const { maxBatchSize, batchTimeoutMs } = this.#options
    const held = batchTimeoutMs > 0 && !this.#draining
    const reason = items.length >= maxBatchSize ? 'full' : held ? 'timeout' : 'idle'
    this.#running++
    await this.#compute(items, reason)
    this.#running--
    this.#dispatch()
  }

  /**
   * Runs a batch and answers its items. A batch that fails is run again in halves, so that one poisonous item fails
   * alone; a failure that is not the inputs' (the engine is gone) is everybody's answer at once.
   */
  async #compute(batch: BatchItem<Key, Input, Output>[], reason: DispatchReason): Promise<void> {
    const items = this.#stillWanted(batch)
    const [first] = items
    if (first === undefined) return
    const { clock, run, onBatch } = this.#options
    const start = clock.now()
    const end = this.#forecast.begin(items.length)
    try {
      const inputs = items.map((item) => item.input)
      const outputs = await run(first.key, inputs)
      if (outputs.length !== items.length) throw new Error(`${outputs.length} outputs for ${items.length} inputs`)
      const computeMs = clock.now() - start
      end(true)
      onBatch?.({ key: first.key, size: items.length, computeMs, reason })
      for (const [i, item] of items.entries()) {
        const output = outputs[i] as Output
        this.#answer(item, ({ submittedAt }) => {
          return { output, queueMs: Math.max(0, start - submittedAt), computeMs, batchSize: items.length }
        })
      }
    } catch (thrown) {
      end(false)
      const error = toServeError(thrown, 'inference_failed', 'the model failed on this input')
      if (items.length === 1 || error.code === 'engine_unavailable') {
        for (const item of items) this.#answer(item, () => error)
        return
      }
      const middle = Math.ceil(items.length / 2)
      await this.#compute(items.slice(0, middle), reason)
      await this.#compute(items.slice(middle), reason)
    }
  }

  /** Drops what nobody waits for. Whoever's deadline passed is told so here, even if its timer is late. */
  #stillWanted(items: BatchItem<Key, Input, Output>[]): BatchItem<Key, Input, Output>[] {
    const now = this.#options.clock.now()
    return items.filter((item) => {
      for (const { job } of [...item.waiters]) job.expireAt(now)
      if (item.waiters.length > 0) return true
      this.#inFlight.remove(item)
      return false
    })
  }

  #answer(item: BatchItem<Key, Input, Output>, answerTo: (job: Job<Output>) => Answer<Output> | ServeError): void {
    this.#inFlight.remove(item)
    const waiters = item.waiters
    item.waiters = []
    for (const { job, index } of waiters) job.settle(index, answerTo(job))
  }
}

import { ServeError, toServeError } from '../errors.ts'
import type { Clock } from './clock.ts'
import { type BatchItem, FairQueue } from './fair-queue.ts'
import { Forecast } from './forecast.ts'
import { type Answer, Job, type SubmitOptions } from './job.ts'
import { Turns } from './turns.ts'
import { Twins } from './twins.ts'

/**
 * Why a batch left when it did: it was full, its oldest item had waited long enough, the engine was free, it was sent
 * ahead while another computed, or its first engine had ended under it.
 */
export type DispatchReason = 'full' | 'timeout' | 'idle' | 'ahead' | 'retry'

export interface BatcherOptions<Key, Input, Output> {
  /** Items of one batch at the most. */
  maxBatchSize: number
  /** Milliseconds an underfull batch may wait for company while the engine is free; 0 never holds it. */
  batchTimeoutMs: number
  /** Items waiting at the most; beyond it `submit` refuses with `queue_full`. */
  maxQueueSize: number
  /**
   * Batches that the engine takes at once, now; 0 while it is restarting. `wake` tells the batcher that it changed, unless
   * that came by a batch's start or end.
   */
  capacity: () => number
  /**
   * Sends the engine its next batch while it computes, once that is worth it: when as many items wait as are being
   * computed, and a quarter of a batch at least. The engine then need not wait for the answers to be written before it
   * has work again. What goes ahead can no longer be dropped, so nothing does before it is known how long batches take.
   */
  sendAhead?: boolean
  /** Engines that may all end at the same moment: a batch that loses its engine is computed again as often. One unless told. */
  engines?: () => number
  /**
   * Computes one batch, all of one key: one output per input, in order. A rejection is retried in halves; with
   * `engine_unavailable`, which is not the inputs' doing, as a whole, `engines` times.
   */
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
 * - an item that is expired or canceled before its batch forms, or forms again, never reaches `run`;
 * - nor does one that would expire before its batch ends at twice the measured speed, while there is other work;
 * - the engine's next work leaves before the answers of its last are given;
 * - a batch whose engine ended is computed again when there is one, ahead of what was queued after it;
 * - nothing waits without a bound: the queue is bounded, and a full one refuses at once.
 */
export class Batcher<Key, Input, Output> {
  readonly #options: BatcherOptions<Key, Input, Output>
  readonly #queue = new FairQueue<Key, Input, Output>()
  readonly #inFlight = new Twins<Key, BatchItem<Key, Input, Output>>()
  readonly #forecast: Forecast
  /** Batches whose engine ended under them. */
  readonly #retries: { items: BatchItem<Key, Input, Output>[]; losses: number }[] = []
  /** Batches and items with the engine, those sent ahead included. */
  #running = 0
  #itemsRunning = 0
  readonly #turns: Turns
  #stopHold: (() => void) | undefined
  #draining: { promise: Promise<void>; resolve: () => void } | undefined

  constructor(options: BatcherOptions<Key, Input, Output>) {
    this.#options = options
    this.#forecast = new Forecast(options)
    this.#turns = new Turns(options.clock, this.#forecast)
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
    const { clock, maxBatchSize, maxQueueSize, capacity } = this.#options
    if (this.#draining) return new ServeError('draining', 'the server is shutting down', { retryAfterS: 1 })
    const msLeft = deadline - clock.now()
    if (msLeft <= 0) return new ServeError('deadline_exceeded', 'the deadline passed before the request was queued')
    if (items === 0) return undefined
    if (this.#queue.size + items > maxQueueSize) {
      return new ServeError('queue_full', 'the queue is full', { retryAfterS: this.retryAfterS })
    }
    const place = this.#queue.ahead(items) + items
    const idle = this.#running < capacity() && this.#queue.size === 0
    const unjudged = idle || place <= maxBatchSize
    if (unjudged || this.#forecast.canMeet(msLeft, this.#turns.itemsWaiting + place)) return undefined
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

  /** Looks for work again: the capacity has changed. */
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
    while (this.#engineTakesMore()) {
      const retry = this.#retries.shift()
      if (retry !== undefined) {
        void this.#runBatch(retry.items, 'retry', retry.losses)
        continue
      }
      if (this.#queue.size === 0) break
      const { key, holdMs } = this.#next()
      if (holdMs > 0) {
        this.#stopHold = this.#options.clock.after(holdMs, () => this.#dispatch())
        return
      }
      const items = this.#takeBatch(key)
      if (items.length === 0) break
      void this.#runBatch(items, this.#reason(items))
    }
    const done = this.#running === 0 && this.#queue.size === 0 && this.#retries.length === 0
    if (done) this.#draining?.resolve()
  }

  #engineTakesMore(): boolean {
    const { capacity, sendAhead, maxBatchSize, batchTimeoutMs } = this.#options
    if (this.#running < capacity()) return true
    if (!sendAhead || this.#running === 0 || this.#running >= 2 * capacity()) return false
    const enough = Math.max(maxBatchSize / 4, this.#itemsRunning / this.#running)
    return this.#queue.size >= (batchTimeoutMs > 0 ? maxBatchSize : enough)
  }

  /**
   * The items of the next batch: those that can be answered in time, and those that have expired already, which are told
   * so and left out when it runs. The others expire in the queue; but an engine that has nothing at all is given them, and
   * is measured again by that.
   */
  #takeBatch(key: Key | undefined): BatchItem<Key, Input, Output>[] {
    const { maxBatchSize, capacity, clock } = this.#options
    const end = this.#forecast.earliestEnd(Math.min(this.#queue.size, maxBatchSize))
    if (end === undefined) return this.#running >= capacity() ? [] : this.#queue.take(maxBatchSize, { key })
    const now = clock.now()
    const fits = ({ waiters }: BatchItem<Key, Input, Output>) =>
      waiters.some(({ job: { deadline } }) => deadline > end || deadline <= now)
    const timely = this.#queue.take(maxBatchSize, { key, fits })
    if (timely.length > 0) return timely
    if (this.#running === 0) return this.#queue.take(maxBatchSize, { key })
    // What this key has is left to expire: other keys need not wait for that.
    return key === undefined ? [] : this.#queue.take(maxBatchSize, { fits })
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

  #reason({ length }: BatchItem<Key, Input, Output>[]): DispatchReason {
    const { maxBatchSize, batchTimeoutMs } = this.#options
    if (length >= maxBatchSize) return 'full'
    if (this.#running >= this.#options.capacity()) return 'ahead'
    return batchTimeoutMs > 0 && !this.#draining ? 'timeout' : 'idle'
  }

  async #runBatch(items: BatchItem<Key, Input, Output>[], reason: DispatchReason, losses = 0): Promise<void> {
    this.#running++
    this.#itemsRunning += items.length
    const giveAnswers = await this.#compute(items, reason, losses)
    this.#running--
    this.#itemsRunning -= items.length
    this.#turns.next()
    // The engine first: answers take their time to be written, and it would idle for as long.
    this.#dispatch()
    giveAnswers()
  }

  /**
   * Runs a batch, and returns what gives its items their answers. A batch that fails is run again in halves, so that one
   * poisonous item fails alone. When the engine ended, which is not the inputs' doing, the batch waits for the next one;
   * after too many losses, that is everybody's answer.
   */
  async #compute(batch: BatchItem<Key, Input, Output>[], reason: DispatchReason, losses: number): Promise<() => void> {
    const items = this.#stillWanted(batch)
    const [first] = items
    if (first === undefined) return () => {}
    const { clock, capacity, engines = () => 1, run, onBatch } = this.#options
    const inputs = items.map((item) => item.input)
    // Starts now; what it throws at once is a rejection as well.
    const running = (async () => run(first.key, inputs))()
    // Only now: an engine may be worth more batches once it has this one.
    const mustWait = this.#running - this.#turns.waiting > Math.max(1, capacity())
    const end = this.#turns.take(items.length, mustWait)
    try {
      const outputs = await running
      if (outputs.length !== items.length) throw new Error(`${outputs.length} outputs for ${items.length} inputs`)
      const start = end(true)
      const computeMs = clock.now() - start
      onBatch?.({ key: first.key, size: items.length, computeMs, reason })
      return () => {
        for (const [i, item] of items.entries()) {
          const output = outputs[i] as Output
          this.#answer(item, ({ submittedAt }) => {
            return { output, queueMs: Math.max(0, start - submittedAt), computeMs, batchSize: items.length }
          })
        }
      }
    } catch (thrown) {
      end(false)
      const error = toServeError(thrown, 'inference_failed', 'the model failed on this input')
      if (error.code === 'engine_unavailable' && losses < engines()) {
        this.#retries.push({ items, losses: losses + 1 })
        return () => {}
      }
      if (items.length === 1 || error.code === 'engine_unavailable') {
        return () => {
          for (const item of items) this.#answer(item, () => error)
        }
      }
      const middle = Math.ceil(items.length / 2)
      const answerFirstHalf = await this.#compute(items.slice(0, middle), reason, losses)
      answerFirstHalf()
      return this.#compute(items.slice(middle), reason, losses)
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

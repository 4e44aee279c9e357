import { ServeError } from '../errors.ts'
import type { Clock } from './clock.ts'

/** One item's output, and what it cost. */
export interface Answer<Output> {
  output: Output
  /** Milliseconds from `submit` to the start of the batch; 0 for an item that joined one already running. */
  queueMs: number
  /** Milliseconds the batch took. */
  computeMs: number
  /** Items in the batch. */
  batchSize: number
}

/** What is used of an AbortSignal, so that a caller can do with less than one. */
export interface CancelSignal {
  readonly aborted: boolean
  addEventListener(type: 'abort', listener: () => void, options?: { once: boolean }): void
  removeEventListener(type: 'abort', listener: () => void): void
}

export interface SubmitOptions {
  /** On the clock's scale (ms): items without an answer by then fail with `deadline_exceeded`. */
  deadline?: number | undefined
  /** When aborted, items without an answer fail with `canceled`. */
  signal?: CancelSignal | undefined
}

/** One request's items: collects their answers, and gives up those still missing on deadline or abort. */
export class Job<Output> {
  /** Resolves when every item has its answer. */
  readonly settled: Promise<(Answer<Output> | ServeError)[]>
  readonly submittedAt: number
  readonly #answers: (Answer<Output> | ServeError | undefined)[]
  /** On the clock's scale (ms); infinite where there is none. */
  readonly deadline: number
  readonly #abandonCallbacks: (() => void)[] = []
  readonly #signal: CancelSignal | undefined
  #missing: number
  #resolve: (answers: (Answer<Output> | ServeError)[]) => void = () => {}
  #stopTimer: (() => void) | undefined

  constructor(items: number, options: SubmitOptions, clock: Clock) {
    this.#answers = new Array<Answer<Output> | ServeError | undefined>(items).fill(undefined)
    this.submittedAt = clock.now()
    this.#missing = items
    this.deadline = options.deadline ?? Number.POSITIVE_INFINITY
    this.#signal = options.signal
    this.settled = new Promise((resolve) => {
      this.#resolve = resolve
    })
    if (options.deadline !== undefined) {
      this.#stopTimer = clock.after(options.deadline - clock.now(), () => this.expireAt(this.deadline))
    }
    this.#signal?.addEventListener('abort', this.#onAbort, { once: true })
    if (items === 0) this.#finish()
  }

  /** Called for each item the job gives up waiting for, so that its place in the queue can be freed. */
  onAbandon(callback: () => void): void {
    this.#abandonCallbacks.push(callback)
  }

  /** The first answer of an item counts; a later one is dropped. */
  settle(index: number, answer: Answer<Output> | ServeError): void {
    if (this.#answers[index] !== undefined) return
    this.#answers[index] = answer
    this.#missing--
    if (this.#missing === 0) this.#finish()
  }

  /** Gives up when the deadline is not after `now`. */
  expireAt(now: number): void {
    if (this.deadline <= now) this.#giveUp(new ServeError('deadline_exceeded', 'the deadline passed'))
  }

  readonly #onAbort = (): void => this.#giveUp(new ServeError('canceled', 'the client went away'))

  #giveUp(error: ServeError): void {
    if (this.#missing === 0) return
    for (const index of this.#answers.keys()) this.settle(index, error)
    for (const callback of this.#abandonCallbacks) callback()
  }

  #finish(): void {
    this.#stopTimer?.()
    this.#signal?.removeEventListener('abort', this.#onAbort)
    this.#resolve(this.#answers as (Answer<Output> | ServeError)[])
  }
}

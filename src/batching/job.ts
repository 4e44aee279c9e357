import { ServeError } from '../errors.ts'
import type { Clock } from './clock.ts'

/** What an item's batch cost. */
interface BatchCost {
  /** Milliseconds from `submit` to the start of the batch. */
  queueMs: number
  /** Milliseconds the batch took. */
  computeMs: number
  /** Items in the batch. */
  batchSize: number
}

/** An item's output, with what its batch cost. */
export type Answer<Output> = Output & BatchCost

/** The part of an AbortSignal that is used here; creating a real one costs more (see `ClientSignal`). */
export interface CancelSignal {
  readonly aborted: boolean
  addEventListener(type: 'abort', listener: () => void, options?: { once: boolean }): void
  removeEventListener(type: 'abort', listener: () => void): void
}

/** `low` is for bulk work that may wait for others (see `Batcher`). */
export type Priority = 'normal' | 'low'

export interface SubmitOptions {
  /** Clock ms. Items without an answer by then fail with `deadline_exceeded`. */
  deadline?: number | undefined
  /** When it is aborted, items without an answer fail with `canceled`. */
  signal?: CancelSignal | undefined
  /** `normal` unless given. */
  priority?: Priority | undefined
  /** Whatever the caller wants to find again in `BatcherOptions.onBatch`. */
  context?: unknown
}

/** Throws `canceled` when the client has left already. */
export function throwIfCanceled({ signal }: SubmitOptions): void {
  if (signal?.aborted) throw canceled()
}

function canceled(): ServeError {
  return new ServeError('canceled', 'the client went away')
}

export interface JobOptions<Key, Input> {
  key: Key
  inputs: readonly Input[]
  clock: Clock
  /** Called once when the job gives up, after its items have their answers. */
  onGiveUp?: () => void
}

/** One request's items. Collects their answers; on deadline or abort, fails those that have none. */
export class Job<Key, Input, Result> {
  readonly key: Key
  readonly inputs: readonly Input[]
  readonly submittedAt: number
  /** Clock ms; infinite if there is none. */
  readonly deadline: number
  readonly priority: Priority
  readonly context: unknown
  /** Resolves when every item has its answer. */
  readonly settled: Promise<(Result | ServeError)[]>
  readonly #answers: (Result | ServeError | undefined)[]
  readonly #signal: CancelSignal | undefined
  readonly #onGiveUp: (() => void) | undefined
  #missing: number
  #resolve: (answers: (Result | ServeError)[]) => void = () => {}
  #stopTimer: (() => void) | undefined

  constructor(
    { key, inputs, clock, onGiveUp }: JobOptions<Key, Input>,
    { deadline, signal, priority, context }: SubmitOptions,
  ) {
    this.key = key
    this.inputs = inputs
    this.submittedAt = clock.now()
    this.deadline = deadline ?? Number.POSITIVE_INFINITY
    this.priority = priority ?? 'normal'
    this.context = context
    this.#answers = new Array<Result | ServeError | undefined>(inputs.length).fill(undefined)
    this.#missing = inputs.length
    this.#signal = signal
    this.#onGiveUp = onGiveUp
    this.settled = new Promise((resolve) => {
      this.#resolve = resolve
    })
    if (deadline !== undefined) {
      this.#stopTimer = clock.after(deadline - this.submittedAt, () => this.expireAt(deadline))
    }
    signal?.addEventListener('abort', this.#onAbort, { once: true })
    if (this.#missing === 0) this.#finish()
  }

  /** Whether the item has no answer yet. */
  waitsFor(index: number): boolean {
    return this.#answers[index] === undefined
  }

  /** Answers an item. Only its first answer counts. */
  settle(index: number, answer: Result | ServeError): void {
    if (!this.waitsFor(index)) return
    this.#answers[index] = answer
    this.#missing--
    if (this.#missing === 0) this.#finish()
  }

  /** Gives up if the deadline has passed at `now`. */
  expireAt(now: number): void {
    if (this.deadline <= now) this.#giveUp(new ServeError('deadline_exceeded', 'the deadline passed'))
  }

  readonly #onAbort = (): void => this.#giveUp(canceled())

  #giveUp(error: ServeError): void {
    if (this.#missing === 0) return
    for (const index of this.#answers.keys()) this.settle(index, error)
    this.#onGiveUp?.()
  }

  #finish(): void {
    this.#stopTimer?.()
    this.#signal?.removeEventListener('abort', this.#onAbort)
    this.#resolve(this.#answers as (Result | ServeError)[])
  }
}

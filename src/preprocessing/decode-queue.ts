import type { Clock } from '../batching/clock.ts'
import { FairQueue } from '../batching/fair-queue.ts'
import { Job, type SubmitOptions, throwIfCanceled } from '../batching/job.ts'
import { type ServeError, toServeError } from '../errors.ts'

/** A picture to be decoded. */
export interface Decoding<Result> {
  /** Pixels that are held meanwhile. */
  pixels: number
  run(): Promise<Result> | Result
}

/** Says how much is decoded at once. */
export interface Gate {
  mayStart(pixels: number): boolean
  started(pixels: number): void
  ended(pixels: number): void
}

/**
 * Pictures of many requests on their way to the decoder. Requests take turns of one picture each. A request that passes its
 * deadline, or whose client leaves, is told so at once, and what waits of it is never decoded.
 */
export class DecodeQueue<Result extends object | null> {
  readonly #clock: Clock
  readonly #gate: Gate
  readonly #queue = new FairQueue<Job<undefined, Decoding<Result>, Result>>()
  #running = 0

  constructor(clock: Clock, gate: Gate) {
    this.#clock = clock
    this.#gate = gate
  }

  /** Pictures being decoded, and those that wait. */
  get pending(): number {
    return this.#queue.size + this.#running
  }

  /** One result per picture, in order; a failure is the picture's own. Rejects with `canceled` when the client has left. */
  async submit(decodings: Decoding<Result>[], options: SubmitOptions): Promise<(Result | ServeError)[]> {
    throwIfCanceled(options)
    const onGiveUp = (): void => this.#queue.remove(entry)
    const job = new Job<undefined, Decoding<Result>, Result>(
      { key: undefined, inputs: decodings, clock: this.#clock, onGiveUp },
      options,
    )
    const entry = this.#queue.add(job)
    this.start()
    return await job.settled
  }

  /** Starts what the gate lets in, in the order of turns. It is called again whenever a picture is done. */
  start(): void {
    for (;;) {
      const next = this.#queue.peek()
      const decoding = next?.job.inputs[next.index]
      if (next === undefined || decoding === undefined || !this.#gate.mayStart(decoding.pixels)) return
      this.#queue.take(() => 1)
      this.#run(decoding, (result) => next.job.settle(next.index, result))
    }
  }

  #run({ pixels, run }: Decoding<Result>, settle: (result: Result | ServeError) => void): void {
    const failed = (error: unknown): ServeError => toServeError(error, 'internal', 'the image could not be prepared')
    const end = (result: Result | ServeError): void => {
      this.#running--
      this.#gate.ended(pixels)
      settle(result)
    }
    this.#running++
    this.#gate.started(pixels)
    try {
      const result = run()
      if (result instanceof Promise) {
        void result.catch(failed).then((settled) => {
          end(settled)
          this.start()
        })
      } else end(result)
    } catch (error) {
      end(failed(error))
    }
  }
}

/**
 * For decoding on threads: so many pictures at once, and no more pixels in all than one picture may have, whatever each
 * of them takes.
 */
export class ThreadGate implements Gate {
  readonly #threads: number
  readonly #maxPixels: number
  #running = 0
  #pixels = 0

  constructor(threads: number, maxPixels: number) {
    this.#threads = threads
    this.#maxPixels = maxPixels
  }

  mayStart(pixels: number): boolean {
    return this.#running === 0 || (this.#running < this.#threads && this.#pixels + pixels <= this.#maxPixels)
  }

  started(pixels: number): void {
    this.#running++
    this.#pixels += pixels
  }

  ended(pixels: number): void {
    this.#running--
    this.#pixels -= pixels
  }
}

/** What decoding may take (ms) of one turn of the event loop. */
const TURN_MS = 5

/** For decoding on the event loop: until this turn's time is used up, and on in the next turn. */
export class TurnGate implements Gate {
  readonly #clock: Clock
  readonly #onTurn: () => void
  #turnEnd: number | undefined

  constructor(clock: Clock, onTurn: () => void) {
    this.#clock = clock
    this.#onTurn = onTurn
  }

  mayStart(): boolean {
    const now = this.#clock.now()
    if (this.#turnEnd === undefined) {
      this.#turnEnd = now + TURN_MS
      setImmediate(() => {
        this.#turnEnd = undefined
        this.#onTurn()
      })
    }
    return now < this.#turnEnd
  }

  started(): void {}

  ended(): void {}
}

/** Asks the server once, and never rejects. Resolves with the milliseconds after which it should be asked again, if at all. */
export type Job = () => Promise<number | undefined>

export interface Timers {
  setTimeout(run: () => void, ms: number): unknown
  clearTimeout(timer: unknown): void
}

/**
 * Sends one request at a time. Pictures wait in line; of a drawing only the newest state is worth sending, once the pen rests.
 * The drawing goes first, since someone is looking at it.
 */
export class RequestLine {
  readonly #timers: Timers
  #busy = false
  #pictures: Job[] = []
  #drawing: Job | undefined
  #rest: unknown
  #hold: unknown
  /** Counts what `clear` has ended, so that a job of before is not asked again. */
  #generation = 0

  constructor(timers: Timers) {
    this.#timers = timers
  }

  /** Replaces the drawing that waits, and sends this one when `restMs` have passed without another. */
  draw(job: Job, restMs: number): void {
    this.#forgetDrawing()
    this.#rest = this.#timers.setTimeout(() => {
      this.#rest = undefined
      this.#drawing = job
      this.#next()
    }, restMs)
  }

  /** Puts pictures at the end of the line. */
  add(...jobs: Job[]): void {
    this.#pictures.push(...jobs)
    this.#next()
  }

  /** Drops all that waits. What has been sent is the caller's to abort. */
  clear(): void {
    this.#generation++
    this.#forgetDrawing()
    this.#pictures = []
    this.#timers.clearTimeout(this.#hold)
    this.#hold = undefined
  }

  #forgetDrawing(): void {
    this.#timers.clearTimeout(this.#rest)
    this.#rest = undefined
    this.#drawing = undefined
  }

  #next(): void {
    if (this.#busy || this.#hold !== undefined) return
    const drawing = this.#drawing
    const job = drawing ?? this.#pictures.shift()
    if (job !== undefined) void this.#run(job, job === drawing)
  }

  async #run(job: Job, isDrawing: boolean): Promise<void> {
    const generation = this.#generation
    this.#busy = true
    if (isDrawing) this.#drawing = undefined
    let retryMs: number | undefined
    try {
      retryMs = await job()
    } finally {
      this.#busy = false
    }
    if (retryMs !== undefined && generation === this.#generation) {
      // Unless the drawing has changed meanwhile: then the newer one is asked for instead.
      if (!isDrawing) this.#pictures.unshift(job)
      else if (this.#rest === undefined) this.#drawing ??= job
      this.#hold = this.#timers.setTimeout(() => {
        this.#hold = undefined
        this.#next()
      }, retryMs)
    }
    this.#next()
  }
}

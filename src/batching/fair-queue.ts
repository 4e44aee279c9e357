/** What the queue knows of a job: its inputs leave in order, and all under one key. */
export interface QueuedJob {
  key: unknown
  inputs: readonly unknown[]
  /** On the clock's scale (ms). */
  submittedAt: number
}

/** One input of a job, on its way to a batch. */
export interface Item<J extends QueuedJob> {
  job: J
  /** Position in the job's inputs. */
  index: number
}

/**
 * Jobs with inputs that wait for a batch. Jobs take turns of one input each, so the inputs of a large job interleave with
 * everybody else's. A job that gives up leaves in one step, however many inputs it has.
 */
export class FairQueue<J extends QueuedJob> {
  /** Inputs that have left, by job. Insertion order is the order of turns: a job that had its turn is added again. */
  readonly #taken = new Map<J, number>()
  #size = 0

  /** Inputs that wait. */
  get size(): number {
    return this.#size
  }

  add(job: J): void {
    if (job.inputs.length === 0) return
    this.#taken.set(job, 0)
    this.#size += job.inputs.length
  }

  /** Takes out what still waits of a job. */
  remove(job: J): void {
    const taken = this.#taken.get(job)
    if (taken === undefined) return
    this.#taken.delete(job)
    this.#size -= job.inputs.length - taken
  }

  /** The input whose turn is next. */
  peek(): Item<J> | undefined {
    for (const [job, index] of this.#taken) return { job, index }
    return undefined
  }

  /** What waits under each key, keys in the order of turns. */
  waiting(): Map<J['key'], { count: number; oldestAt: number }> {
    const groups = new Map<J['key'], { count: number; oldestAt: number }>()
    for (const [{ key, inputs, submittedAt }, taken] of this.#taken) {
      const group = groups.get(key) ?? { count: 0, oldestAt: Number.POSITIVE_INFINITY }
      group.count += inputs.length - taken
      group.oldestAt = Math.min(group.oldestAt, submittedAt)
      groups.set(key, group)
    }
    return groups
  }

  /** Inputs that will have left before the last of `inputs` from a new job does, if no other job comes. */
  ahead(inputs: number): number {
    let ahead = 0
    for (const [job, taken] of this.#taken) ahead += Math.min(job.inputs.length - taken, inputs)
    return ahead
  }

  /**
   * Takes up to `max` inputs of one key, one per job and turn; without a key, of the job whose turn is next. A job that
   * does not fit is passed over and keeps its turn.
   */
  take(max: number, { key, fits = () => true }: TakeOptions<J> = {}): Item<J>[] {
    const items: Item<J>[] = []
    let chosen = key
    // A job added again during the loop is visited again, which is what makes the turns go round.
    for (const [job, index] of this.#taken) {
      if (items.length === max) break
      if ((chosen !== undefined && job.key !== chosen) || !fits(job)) continue
      chosen = job.key
      items.push({ job, index })
      this.#taken.delete(job)
      this.#size--
      if (index + 1 < job.inputs.length) this.#taken.set(job, index + 1)
    }
    return items
  }
}

interface TakeOptions<J extends QueuedJob> {
  key?: J['key'] | undefined
  fits?: (job: J) => boolean
}

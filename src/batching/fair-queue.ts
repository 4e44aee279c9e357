/** What the queue knows of a job. Its inputs leave in order. */
export interface QueuedJob {
  key: unknown
  inputs: readonly unknown[]
  /** Clock ms. */
  submittedAt: number
}

/** One input of a job, on its way to a batch. */
export interface Item<J extends QueuedJob> {
  job: J
  /** Position in the job's inputs. */
  index: number
}

/**
 * Jobs whose inputs wait for a batch. Jobs take turns of one input each, so that a large job does not block the others.
 * A job leaves in one step, however many inputs it has.
 */
export class FairQueue<J extends QueuedJob> {
  /** Number of inputs taken, by job. Insertion order is the order of turns: after its turn, a job is added again. */
  readonly #taken = new Map<J, number>()
  #size = 0

  /** Number of waiting inputs. */
  get size(): number {
    return this.#size
  }

  add(job: J): void {
    if (job.inputs.length === 0) return
    this.#taken.set(job, 0)
    this.#size += job.inputs.length
  }

  /** Removes the inputs of a job that still wait. */
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

  /** The waiting inputs of each key. Keys are in the order of turns. */
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

  /** Number of waiting inputs, by key, that leave before the last of `inputs` from a job added now. */
  ahead(inputs: number): Map<J['key'], number> {
    const ahead = new Map<J['key'], number>()
    let last: J | undefined
    let count = 0
    // The map is asked only where the key changes: asked for every job, it would double the cost of a refusal.
    for (const [job, taken] of this.#taken) {
      if (last && job.key !== last.key) {
        ahead.set(last.key, count)
        count = ahead.get(job.key) ?? 0
      }
      last = job
      count += Math.min(job.inputs.length - taken, inputs)
    }
    return last ? ahead.set(last.key, count) : ahead
  }

  /**
   * Takes up to `max` inputs of one key, one per job and turn. Without `key`, takes that of the job whose turn is next. A
   * job that does not fit is skipped and keeps its turn.
   */
  take(max: (key: J['key']) => number, { key, fits = () => true }: TakeOptions<J> = {}): Item<J>[] {
    const items: Item<J>[] = []
    let chosen = key
    let most = Number.POSITIVE_INFINITY
    // The loop visits a job again when it is added again: this is what makes the turns go round.
    for (const [job, index] of this.#taken) {
      if (items.length === most) break
      if ((chosen !== undefined && job.key !== chosen) || !fits(job)) continue
      chosen = job.key
      most = max(chosen)
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

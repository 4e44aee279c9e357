import type { Priority } from './job.ts'

/** Normal inputs that leave for each low one while both wait: low work gets one turn in eight. */
const NORMAL_PER_LOW = 7

/** What the queue knows of a job. Its inputs leave in order. */
export interface QueuedJob {
  key: unknown
  priority: Priority
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
 * Jobs whose inputs wait for a batch. Jobs of a priority take turns of one input each, so that a large job does not block
 * the others. Normal jobs go first, but while both wait, one turn in eight is a low job's. A batch of a key that only low
 * jobs have is made of low inputs: it uses up as many of their turns, so that low work gets no more than its share.
 * A job leaves in one step, however many inputs it has.
 */
export class FairQueue<J extends QueuedJob> {
  /** Number of inputs taken, by job. Insertion order is the order of turns: after its turn, a job is added again. */
  readonly #taken: Record<Priority, Map<J, number>> = { normal: new Map(), low: new Map() }
  readonly #sizes: Record<Priority, number> = { normal: 0, low: 0 }
  /** Normal inputs that have left since the last low one, as far as they count; below 0 after a whole batch of low ones. */
  #normalsSinceLow = 0

  /** Number of waiting inputs. */
  get size(): number {
    return this.#sizes.normal + this.#sizes.low
  }

  add(job: J): void {
    if (job.inputs.length === 0) return
    this.#taken[job.priority].set(job, 0)
    this.#sizes[job.priority] += job.inputs.length
  }

  /** Removes the inputs of a job that still wait. */
  remove(job: J): void {
    const jobs = this.#taken[job.priority]
    const taken = jobs.get(job)
    if (taken === undefined) return
    jobs.delete(job)
    this.#sizes[job.priority] -= job.inputs.length - taken
  }

  /** The input whose turn is next. */
  peek(): Item<J> | undefined {
    for (const [job, index] of this.#turns()) return { job, index }
    return undefined
  }

  /** The waiting inputs of each key. Keys are in the order of turns. */
  waiting(): Map<J['key'], { count: number; oldestAt: number }> {
    const groups = new Map<J['key'], { count: number; oldestAt: number }>()
    const { normal, low } = this.#taken
    for (const jobs of this.#isTurnOfLow ? [low, normal] : [normal, low]) {
      for (const [{ key, inputs, submittedAt }, taken] of jobs) {
        const group = groups.get(key) ?? { count: 0, oldestAt: Number.POSITIVE_INFINITY }
        group.count += inputs.length - taken
        group.oldestAt = Math.min(group.oldestAt, submittedAt)
        groups.set(key, group)
      }
    }
    return groups
  }

  /**
   * Number of waiting inputs, by key, that leave before the last of `inputs` from a job added now: for a low job, all normal
   * ones; for a normal job, of the low ones those whose turns come meanwhile.
   */
  ahead(inputs: number, priority: Priority = 'normal'): Map<J['key'], number> {
    const { normal, low } = this.#taken
    const isLow = priority === 'low'
    const ahead = new Map<J['key'], number>()
    const normals = countUpTo(ahead, normal, isLow ? Number.POSITIVE_INFINITY : inputs)
    const turns = Math.floor((normals + inputs - 1 + this.#normalsSinceLow) / NORMAL_PER_LOW)
    if (isLow) countUpTo(ahead, low, inputs)
    else if (turns > 0) countUpTo(ahead, low, Math.ceil(turns / low.size), turns)
    return ahead
  }

  /**
   * Takes up to `max` inputs of one key, one per job and turn. Without `key`, takes that of the job whose turn is next. A
   * job that does not fit is skipped and keeps its turn.
   */
  take(max: (key: J['key']) => number, { key, fits = () => true }: TakeOptions<J> = {}): Item<J>[] {
    const items: Item<J>[] = []
    let chosen = key
    let most = Number.POSITIVE_INFINITY
    for (const [job, index] of this.#turns()) {
      if ((chosen !== undefined && job.key !== chosen) || !fits(job)) continue
      chosen = job.key
      most = max(chosen)
      items.push({ job, index })
      const jobs = this.#taken[job.priority]
      jobs.delete(job)
      if (index + 1 < job.inputs.length) jobs.set(job, index + 1)
      this.#sizes[job.priority]--
      this.#countTurn(job.priority, most)
      if (items.length === most) break
    }
    return items
  }

  /** Jobs in the order of their turns. A job that is added again meanwhile has another turn: the turns go round. */
  *#turns(): Generator<[J, number]> {
    const normals = this.#taken.normal.entries()
    const lows = this.#taken.low.entries()
    let normal = normals.next()
    let low = lows.next()
    for (;;) {
      const isLow = normal.done || (this.#isTurnOfLow && !low.done)
      const next = isLow ? low : normal
      if (next.done) return
      yield next.value
      if (isLow) low = lows.next()
      else normal = normals.next()
    }
  }

  get #isTurnOfLow(): boolean {
    return this.#sizes.low > 0 && this.#normalsSinceLow >= NORMAL_PER_LOW
  }

  /**
   * Low work is owed one turn at most, and owes no more than those of a batch of `most`. What it takes while nobody else
   * waits costs it nothing.
   */
  #countTurn(priority: Priority, most: number): void {
    const { normal, low } = this.#sizes
    if (priority === 'normal') this.#normalsSinceLow = Math.min(this.#normalsSinceLow + 1, low > 0 ? NORMAL_PER_LOW : 0)
    else if (normal === 0) this.#normalsSinceLow = 0
    else this.#normalsSinceLow = Math.max(this.#normalsSinceLow - NORMAL_PER_LOW, -NORMAL_PER_LOW * most)
  }
}

/** Adds up to `most` waiting inputs of each job, and `limit` in all, to the counts by key. Returns how many there were. */
function countUpTo<J extends QueuedJob>(
  counts: Map<J['key'], number>,
  jobs: Map<J, number>,
  most: number,
  limit = Number.POSITIVE_INFINITY,
): number {
  let last: J | undefined
  let count = 0
  let total = 0
  // The map is asked only where the key changes: asked for every job, it would double the cost of a refusal.
  for (const [job, taken] of jobs) {
    if (last === undefined || job.key !== last.key) {
      if (last) counts.set(last.key, count)
      count = counts.get(job.key) ?? 0
    }
    last = job
    const inputs = Math.min(job.inputs.length - taken, most, limit - total)
    count += inputs
    total += inputs
    if (total === limit) break
  }
  if (last) counts.set(last.key, count)
  return total
}

interface TakeOptions<J extends QueuedJob> {
  key?: J['key'] | undefined
  fits?: (job: J) => boolean
}

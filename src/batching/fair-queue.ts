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

/**
 * A job's entry in the queue, empty once it has left. V8's Map and Set keep what was deleted from them in memory for long: the
 * table that one outgrew points to the next, and once one is old, so are all that follow and what they held. An entry that
 * holds nothing is all that they keep of a job.
 */
export interface Entry<J extends QueuedJob> {
  job: J | undefined
  /** Number of its inputs that have left. */
  taken: number
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
  /** Insertion order is the order of turns: after its turn, a job's entry is added again. */
  readonly #entries: Record<Priority, Set<Entry<J>>> = { normal: new Set(), low: new Set() }
  readonly #sizes: Record<Priority, number> = { normal: 0, low: 0 }
  /** Normal inputs that have left since the last low one, as far as they count; below 0 after a whole batch of low ones. */
  #normalsSinceLow = 0

  /** Number of waiting inputs. */
  get size(): number {
    return this.#sizes.normal + this.#sizes.low
  }

  /** Returns the entry to `remove` it by. */
  add(job: J): Entry<J> {
    if (job.inputs.length === 0) return { job: undefined, taken: 0 }
    const entry = { job, taken: 0 }
    this.#entries[job.priority].add(entry)
    this.#sizes[job.priority] += job.inputs.length
    return entry
  }

  /** Removes the inputs that still wait of the job of this entry. */
  remove(entry: Entry<J>): void {
    const { job, taken } = entry
    if (job === undefined) return
    this.#leave(entry, job)
    this.#sizes[job.priority] -= job.inputs.length - taken
  }

  #leave(entry: Entry<J>, { priority }: J): void {
    this.#entries[priority].delete(entry)
    entry.job = undefined
  }

  /** The input whose turn is next. */
  peek(): Item<J> | undefined {
    for (const [job, { taken: index }] of this.#turns()) return { job, index }
    return undefined
  }

  /** The waiting inputs of each key. Keys are in the order of turns. */
  waiting(): Map<J['key'], { count: number; oldestAt: number }> {
    const groups = new Map<J['key'], { count: number; oldestAt: number }>()
    const { normal, low } = this.#entries
    for (const entries of this.#isTurnOfLow ? [low, normal] : [normal, low]) {
      for (const { job, taken } of entries) {
        const { key, inputs, submittedAt } = job as J
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
    const { normal, low } = this.#entries
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
    for (const [job, entry] of this.#turns()) {
      if ((chosen !== undefined && job.key !== chosen) || !fits(job)) continue
      chosen = job.key
      most = max(chosen)
      items.push({ job, index: entry.taken++ })
      if (entry.taken === job.inputs.length) this.#leave(entry, job)
      else {
        const entries = this.#entries[job.priority]
        entries.delete(entry)
        entries.add(entry)
      }
      this.#sizes[job.priority]--
      this.#countTurn(job.priority, most)
      if (items.length === most) break
    }
    return items
  }

  /** Jobs in the order of their turns. A job that is added again meanwhile has another turn: the turns go round. */
  *#turns(): Generator<[J, Entry<J>]> {
    const normals = this.#entries.normal.values()
    const lows = this.#entries.low.values()
    let normal = normals.next()
    let low = lows.next()
    for (;;) {
      const isLow = normal.done || (this.#isTurnOfLow && !low.done)
      const next = isLow ? low : normal
      if (next.done) return
      yield [next.value.job as J, next.value]
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
  entries: Set<Entry<J>>,
  most: number,
  limit = Number.POSITIVE_INFINITY,
): number {
  let last: J | undefined
  let count = 0
  let total = 0
  // The map is asked only where the key changes: asked for every job, it would double the cost of a refusal.
  for (const entry of entries) {
    const job = entry.job as J
    if (last === undefined || job.key !== last.key) {
      if (last) counts.set(last.key, count)
      count = counts.get(job.key) ?? 0
    }
    last = job
    const inputs = Math.min(job.inputs.length - entry.taken, most, limit - total)
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

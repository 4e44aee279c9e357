import type { Job } from './job.ts'

/** One input on its way to a batch. Identical inputs of several requests are one item with several waiters. */
export interface BatchItem<Key, Input, Output> {
  key: Key
  input: Input
  identity: string | undefined
  enqueuedAt: number
  waiters: { job: Job<Output>; index: number }[]
}

/** One request's place in the queue. */
export interface Lane<Key, Input, Output> {
  push(input: Input, identity: string | undefined, now: number): BatchItem<Key, Input, Output>
  /** Also gives a waiting item of another request a place here: it leaves when the first of its lanes has its turn. */
  join(item: BatchItem<Key, Input, Output>): void
}

/**
 * Items waiting, in one lane per request. Lanes take turns of one item each, so the items of a large request interleave
 * with everybody else's.
 */
export class FairQueue<Key, Input, Output> {
  /** Insertion order is the order of turns: a lane that had its turn is deleted and added again. */
  readonly #lanes = new Set<LaneItems<Key, Input, Output>>()
  /** Insertion order is the order of arrival. */
  readonly #lanesOf = new Map<BatchItem<Key, Input, Output>, LaneItems<Key, Input, Output>[]>()

  get size(): number {
    return this.#lanesOf.size
  }

  /** What waits under each key, keys in the order of turns. */
  waiting(): Map<Key, { count: number; oldestAt: number }> {
    const groups = new Map<Key, { count: number; oldestAt: number }>()
    for (const { key } of this.#lanes) groups.set(key, { count: 0, oldestAt: Number.POSITIVE_INFINITY })
    for (const { key, enqueuedAt } of this.#lanesOf.keys()) {
      const group = groups.get(key)
      if (group === undefined) continue
      group.count++
      group.oldestAt = Math.min(group.oldestAt, enqueuedAt)
    }
    return groups
  }

  /** Items that will have left before the last of `items` from a new request does, if no other request comes. */
  ahead(items: number): number {
    let ahead = 0
    for (const lane of this.#lanes) ahead += Math.min(lane.items.size, items)
    // An item in several lanes leaves once.
    return Math.min(ahead, this.size)
  }

  /** A new request's lane; it joins the turns with its first item. */
  lane(key: Key): Lane<Key, Input, Output> {
    const lane: LaneItems<Key, Input, Output> = { key, items: new Set() }
    const join = (item: BatchItem<Key, Input, Output>): void => {
      const lanes = this.#lanesOf.get(item)
      if (lanes === undefined) return
      lanes.push(lane)
      lane.items.add(item)
      this.#lanes.add(lane)
    }
    return {
      join,
      push: (input, identity, enqueuedAt) => {
        const item: BatchItem<Key, Input, Output> = { key, input, identity, enqueuedAt, waiters: [] }
        this.#lanesOf.set(item, [])
        join(item)
        return item
      },
    }
  }

  /**
   * Takes up to `max` items of one key, one per lane and turn; without a key, of the one whose turn is next. What does not
   * fit is passed over and keeps its place.
   */
  take(max: number, { key, fits = () => true }: TakeOptions<Key, Input, Output> = {}): BatchItem<Key, Input, Output>[] {
    const taken: BatchItem<Key, Input, Output>[] = []
    let chosen = key
    // A lane added again during the loop is visited again, which is what makes the turns go round.
    for (const lane of this.#lanes) {
      if (taken.length === max) break
      if (chosen !== undefined && lane.key !== chosen) continue
      const item = first(lane.items, fits)
      if (item === undefined) continue
      chosen = lane.key
      this.remove(item)
      taken.push(item)
      if (lane.items.size > 0 && this.#lanes.delete(lane)) this.#lanes.add(lane)
    }
    return taken
  }

  /** False when the item is not waiting (any more). */
  remove(item: BatchItem<Key, Input, Output>): boolean {
    for (const lane of this.#lanesOf.get(item) ?? []) {
      lane.items.delete(item)
      if (lane.items.size === 0) this.#lanes.delete(lane)
    }
    return this.#lanesOf.delete(item)
  }
}

interface TakeOptions<Key, Input, Output> {
  key?: Key | undefined
  fits?: (item: BatchItem<Key, Input, Output>) => boolean
}

interface LaneItems<Key, Input, Output> {
  key: Key
  items: Set<BatchItem<Key, Input, Output>>
}

function first<T>(items: Set<T>, fits: (item: T) => boolean): T | undefined {
  for (const item of items) if (fits(item)) return item
  return undefined
}

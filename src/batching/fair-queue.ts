import type { Job } from './job.ts'

/** One input on its way to a batch. Identical inputs of several requests are one item with several waiters. */
export interface BatchItem<Key, Input, Output> {
  key: Key
  input: Input
  identity: string | undefined
  enqueuedAt: number
  waiters: { job: Job<Output>; index: number }[]
}

/**
 * Items waiting, in one lane per request. Lanes take turns of one item each, so the items of a large request interleave
 * with everybody else's. The lane at the head decides the key of the next batch.
 */
export class FairQueue<Key, Input, Output> {
  /** Insertion order is the order of turns: a lane that had its turn is deleted and added again. */
  readonly #lanes = new Set<Lane<Key, Input, Output>>()
  readonly #laneOf = new Map<BatchItem<Key, Input, Output>, Lane<Key, Input, Output>>()

  get size(): number {
    return this.#laneOf.size
  }

  /** The item whose turn is next. */
  get head(): BatchItem<Key, Input, Output> | undefined {
    for (const lane of this.#lanes) for (const item of lane.items) return item
    return undefined
  }

  /** Items waiting under one key. */
  countOf(key: Key): number {
    let count = 0
    for (const lane of this.#lanes) if (lane.key === key) count += lane.items.size
    return count
  }

  /** A new request's lane; it joins the turns with its first item. */
  lane(key: Key): { push(input: Input, identity: string | undefined, now: number): BatchItem<Key, Input, Output> } {
    const lane: Lane<Key, Input, Output> = { key, items: new Set() }
    return {
      push: (input, identity, enqueuedAt) => {
        const item: BatchItem<Key, Input, Output> = { key, input, identity, enqueuedAt, waiters: [] }
        lane.items.add(item)
        this.#lanes.add(lane)
        this.#laneOf.set(item, lane)
        return item
      },
    }
  }

  /** Takes up to `max` items of the head's key, one per lane and turn. */
  take(max: number): BatchItem<Key, Input, Output>[] {
    const taken: BatchItem<Key, Input, Output>[] = []
    const key = this.head?.key
    // A lane added again during the loop is visited again, which is what makes the turns go round.
    for (const lane of this.#lanes) {
      if (taken.length === max) break
      if (lane.key !== key) continue
      const [item] = lane.items
      if (item === undefined) continue
      this.remove(item)
      taken.push(item)
      if (lane.items.size > 0 && this.#lanes.delete(lane)) this.#lanes.add(lane)
    }
    return taken
  }

  /** False when the item is not waiting (any more). */
  remove(item: BatchItem<Key, Input, Output>): boolean {
    const lane = this.#laneOf.get(item)
    if (lane === undefined) return false
    this.#laneOf.delete(item)
    lane.items.delete(item)
    if (lane.items.size === 0) this.#lanes.delete(lane)
    return true
  }
}

interface Lane<Key, Input, Output> {
  key: Key
  items: Set<BatchItem<Key, Input, Output>>
}

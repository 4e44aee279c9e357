/**
 * A set of objects that leave it soon. V8's own Set would keep them in memory for long: the table that a Set outgrew points
 * to the next, and once one is old, so are all that follow and what they held. Here all that it keeps is an empty entry.
 */
export class ShortLivedSet<T extends object> implements Iterable<T> {
  readonly #entries = new Set<{ value: T | undefined }>()

  get size(): number {
    return this.#entries.size
  }

  /** Returns what takes it out again. */
  add(value: T): () => void {
    const entry: { value: T | undefined } = { value }
    this.#entries.add(entry)
    return () => {
      this.#entries.delete(entry)
      entry.value = undefined
    }
  }

  *[Symbol.iterator](): Generator<T> {
    for (const { value } of this.#entries) yield value as T
  }
}

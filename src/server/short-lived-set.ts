/**
 * A set of objects that leave it soon. V8's own Set would keep them in memory for long: the table that a Set outgrew points
 * to the next, and once one is old, so are all that follow and what they held. Here all that it keeps is an empty place.
 */
export class ShortLivedSet<T extends object> implements Iterable<T> {
  readonly #places = new Set<{ value: T | undefined }>()

  get size(): number {
    return this.#places.size
  }

  /** Returns what takes it out again. */
  add(value: T): () => void {
    const place: { value: T | undefined } = { value }
    this.#places.add(place)
    return () => {
      this.#places.delete(place)
      place.value = undefined
    }
  }

  *[Symbol.iterator](): Generator<T> {
    for (const { value } of this.#places) yield value as T
  }
}

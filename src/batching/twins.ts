interface Identified<Key> {
  key: Key
  /** Undefined: nothing is identical to it. */
  identity: string | undefined
}

/** Items queued or computing, by key and identity, for identical ones to join. */
export class Twins<Key, Item extends Identified<Key>> {
  readonly #items = new Map<Key, Map<string, Item>>()

  find(key: Key, identity: string | undefined): Item | undefined {
    return identity === undefined ? undefined : this.#items.get(key)?.get(identity)
  }

  add(item: Item): void {
    if (item.identity === undefined) return
    const twins = this.#items.get(item.key) ?? new Map<string, Item>()
    this.#items.set(item.key, twins.set(item.identity, item))
  }

  remove({ key, identity }: Item): void {
    if (identity === undefined) return
    const twins = this.#items.get(key)
    twins?.delete(identity)
    if (twins?.size === 0) this.#items.delete(key)
  }

  /** How many of these are new: no twin in flight, nor earlier in the list. */
  countFresh(key: Key, identities: (string | undefined)[]): number {
    const seen = new Set<string>()
    let fresh = 0
    for (const identity of identities) {
      if (this.find(key, identity) !== undefined || (identity !== undefined && seen.has(identity))) continue
      if (identity !== undefined) seen.add(identity)
      fresh++
    }
    return fresh
  }
}

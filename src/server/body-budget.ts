import { ServeError } from '../errors.ts'

/** Share of the budget that the bodies from one address may hold. */
const SHARE_PER_ADDRESS = 0.5

/** How long (ms) a body may take before its speed counts, and without a byte coming. */
const GRACE_MS = 5000

/** Bytes a second, on average over the time after the grace: a body that comes slower holds memory for no good. */
const MIN_RATE = 8 * 1024

/**
 * Bytes that request bodies hold, each and all together, so that many large ones cannot exhaust the memory. Bytes count
 * once they have come: an announced length reserves nothing.
 */
export class BodyBudget {
  readonly #maxBytes: number
  readonly #maxPendingBytes: number
  readonly #byAddress = new Map<string, number>()
  #pendingBytes = 0

  constructor({ maxBodyBytes, maxPendingBytes }: { maxBodyBytes: number; maxPendingBytes: number }) {
    this.#maxBytes = maxBodyBytes
    this.#maxPendingBytes = maxPendingBytes
  }

  get pendingBytes(): number {
    return this.#pendingBytes
  }

  /** A new body from `address`. Throws `payload_too_large` where it announces too much, `overloaded` where no byte fits. */
  open(address: string, announcedBytes: number, openedAt: number): BodyMeter {
    this.#assertSize(announcedBytes)
    this.#assertRoom(address, 1)
    let received = 0
    let lastAt = openedAt
    return {
      count: (bytes, at) => {
        this.#assertSize(received + bytes)
        this.#assertRoom(address, bytes)
        received += bytes
        lastAt = at
        this.#hold(address, bytes)
      },
      charge: (bytes) => {
        this.#assertRoom(address, bytes)
        received += bytes
        this.#hold(address, bytes)
      },
      isTooSlow: (at) => at - lastAt > GRACE_MS || received < (MIN_RATE * (at - openedAt - GRACE_MS)) / 1000,
      close: () => {
        this.#hold(address, -received)
        received = 0
      },
    }
  }

  #assertSize(bytes: number): void {
    if (bytes <= this.#maxBytes) return
    throw new ServeError('payload_too_large', `the body is larger than ${this.#maxBytes} bytes`)
  }

  #assertRoom(address: string, bytes: number): void {
    // One body of any allowed size must have room, whatever the share.
    const most = Math.max(SHARE_PER_ADDRESS * this.#maxPendingBytes, this.#maxBytes)
    const fits = this.#pendingBytes + bytes <= this.#maxPendingBytes && this.#heldBy(address) + bytes <= most
    if (fits) return
    throw new ServeError('overloaded', 'too many bytes of request bodies are held already', { retryAfterS: 1 })
  }

  #heldBy(address: string): number {
    return this.#byAddress.get(address) ?? 0
  }

  #hold(address: string, bytes: number): void {
    const held = this.#heldBy(address) + bytes
    this.#pendingBytes += bytes
    if (held === 0) this.#byAddress.delete(address)
    else this.#byAddress.set(address, held)
  }
}

/** One body's share of the budget. Times are on one clock (ms). */
export interface BodyMeter {
  /** Bytes that have come. Throws `payload_too_large` or `overloaded`. */
  count(bytes: number, now: number): void
  /** Bytes that are held for the same request beside its body. Throws `overloaded`. */
  charge(bytes: number): void
  /** Whether the body, which is not complete, comes too slowly to be waited for. */
  isTooSlow(now: number): boolean
  /** Gives back what is held: the body is no longer in memory, or soon will not be. */
  close(): void
}

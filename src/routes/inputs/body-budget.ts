import { ServeError } from '../../errors.ts'

/** Limits the bytes of each request body and of all together, so that many large ones cannot exhaust the memory. */
export class BodyBudget {
  readonly #maxBytes: number
  readonly #maxPendingBytes: number
  #pendingBytes = 0

  constructor({ maxBodyBytes, maxPendingBytes }: { maxBodyBytes: number; maxPendingBytes: number }) {
    this.#maxBytes = maxBodyBytes
    this.#maxPendingBytes = maxPendingBytes
  }

  get pendingBytes(): number {
    return this.#pendingBytes
  }

  /** Opens a body and reserves its announced length. Throws like `count` if that is too much already. */
  open(announcedBytes: number): BodyMeter {
    let held = 0
    const hold = (bytes: number): void => {
      if (bytes > this.#maxBytes) {
        throw new ServeError('payload_too_large', `the body is larger than ${this.#maxBytes} bytes`)
      }
      if (this.#pendingBytes + bytes - held > this.#maxPendingBytes) {
        throw new ServeError('overloaded', 'too many bytes of request bodies are held already', { retryAfterS: 1 })
      }
      this.#pendingBytes += bytes - held
      held = bytes
    }
    hold(announcedBytes)
    let received = 0
    return {
      count: (bytes) => {
        received += bytes
        if (received > held) hold(received)
      },
      close: () => {
        this.#pendingBytes -= held
        held = 0
      },
    }
  }
}

/** One body's share of the budget. */
export interface BodyMeter {
  /** Bytes that have come. Throws `payload_too_large` or `overloaded`. */
  count(bytes: number): void
  /** Gives back what is held: the body is no longer in memory, or soon will not be. */
  close(): void
}

const HEAD_END = Buffer.from('\r\n\r\n')

/**
 * Finds the answers in a connection's bytes: their status, and where each ends. It skips the body and all headers but
 * `content-length`, which keeps the generator cheap. Throws on an answer without a length.
 */
export class AnswerReader {
  readonly #onAnswer: (status: number) => void
  /** Bytes of the body still to come, once the head has been read. */
  #bodyLeft = 0
  #status = 0
  /** The beginning of a head that the end of a chunk cut off. */
  #head: Buffer = Buffer.alloc(0)

  constructor(onAnswer: (status: number) => void) {
    this.#onAnswer = onAnswer
  }

  /** True between an answer's first byte and its last. */
  get inAnswer(): boolean {
    return this.#bodyLeft > 0 || this.#head.length > 0
  }

  /** The caller may reuse `chunk` afterwards. */
  push(chunk: Buffer): void {
    let bytes = chunk
    while (bytes.length > 0) {
      if (this.#bodyLeft === 0) bytes = this.#readHead(bytes)
      else {
        const taken = Math.min(this.#bodyLeft, bytes.length)
        this.#bodyLeft -= taken
        bytes = bytes.subarray(taken)
      }
      if (this.#status > 0 && this.#bodyLeft === 0) {
        const status = this.#status
        this.#status = 0
        this.#onAnswer(status)
      }
    }
  }

  /** Returns what follows the head, or nothing while the head is incomplete. */
  #readHead(chunk: Buffer): Buffer {
    const bytes = this.#head.length > 0 ? Buffer.concat([this.#head, chunk]) : chunk
    const end = bytes.indexOf(HEAD_END)
    if (end < 0) {
      this.#head = Buffer.from(bytes)
      return bytes.subarray(bytes.length)
    }
    const head = bytes.toString('latin1', 0, end)
    const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1]
    if (!head.startsWith('HTTP/1.') || length === undefined) {
      throw new Error(`an answer without a length: ${head.slice(0, 100)}`)
    }
    this.#head = bytes.subarray(0, 0)
    // "HTTP/1.1 200 OK": the status has a fixed position.
    this.#status = Number(head.slice(9, 12))
    this.#bodyLeft = Number(length)
    return bytes.subarray(end + HEAD_END.length)
  }
}

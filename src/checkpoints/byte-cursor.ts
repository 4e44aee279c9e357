/** What is read from the file at a time: most pickles are shorter. */
const CHUNK_BYTES = 65536

/** Reads forward through bytes that another holds, in chunks. */
export class ByteCursor {
  readonly #read: (from: number, length: number) => Buffer
  readonly #end: number
  #chunk: Buffer = Buffer.alloc(0)
  /** Of the chunk's first byte. */
  #base: number
  #at = 0

  /** Over the bytes from `from` up to `end`. */
  constructor(read: (from: number, length: number) => Buffer, from: number, end: number) {
    this.#read = read
    this.#base = from
    this.#end = end
  }

  get position(): number {
    return this.#base + this.#at
  }

  byte(): number {
    if (this.#at === this.#chunk.length) this.#refill(1)
    return this.#chunk[this.#at++] as number
  }

  /** The next `length` bytes. They stay valid, and must not be changed. Throws when there are fewer. */
  take(length: number): Buffer {
    if (this.#at + length > this.#chunk.length) this.#refill(length)
    this.#at += length
    return this.#chunk.subarray(this.#at - length, this.#at)
  }

  /** Up to the next newline, which is passed over. Throws when it is longer than `limit` bytes. */
  line(limit: number): string {
    const bytes: number[] = []
    for (let byte = this.byte(); byte !== 0x0a; byte = this.byte()) {
      if (bytes.push(byte) > limit) throw new Error(`a name is longer than ${limit} bytes`)
    }
    return Buffer.from(bytes).toString()
  }

  #refill(length: number): void {
    const left = this.#end - this.position
    if (length > left) throw new Error('it ends too early')
    this.#base = this.position
    this.#at = 0
    this.#chunk = this.#read(this.#base, Math.min(left, Math.max(length, CHUNK_BYTES)))
  }
}

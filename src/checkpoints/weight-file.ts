import { closeSync, fstatSync, openSync, readSync, statSync } from 'node:fs'

/** The most that one call of the system reads. */
const MAX_READ_BYTES = 2 ** 30

/** A file of which parts are read on demand. */
export class WeightFile {
  readonly path: string
  readonly bytes: number
  #fd: number | undefined

  /** Throws when there is no such file. */
  constructor(path: string) {
    this.path = path
    // Asked before it is opened: to open a pipe is to wait for its writer.
    if (!statSync(path, { throwIfNoEntry: false })?.isFile()) throw new Error('there is no such file')
    this.#fd = openSync(path, 'r')
    this.bytes = fstatSync(this.#fd).size
  }

  /** `length` bytes from `from` on, in memory of their own. Throws when the file ends before. */
  read(from: number, length: number): Buffer<ArrayBuffer> {
    if (this.#fd === undefined) throw new Error('the file is closed')
    // Before the memory is taken: a length that a file claims may be any.
    if (!(from >= 0 && length >= 0 && from + length <= this.bytes)) throw new Error('the file is cut off')
    const bytes = Buffer.from(new ArrayBuffer(length))
    for (let done = 0; done < length; ) {
      const read = readSync(this.#fd, bytes, done, Math.min(length - done, MAX_READ_BYTES), from + done)
      if (read === 0) throw new Error('the file has become shorter')
      done += read
    }
    return bytes
  }

  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd)
    this.#fd = undefined
  }
}

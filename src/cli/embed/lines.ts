import type { FileHandle } from 'node:fs/promises'

export interface Line {
  /** In bytes from the start of the file. */
  offset: number
  /** Without the newline. */
  bytes: Buffer
}

const NEWLINE = 0x0a
const CHUNK_BYTES = 2 ** 20

/** The lines of a file that end with a newline, and where each begins (which `node:readline` does not tell). */
export async function* linesOf(file: FileHandle): AsyncGenerator<Line> {
  let rest = Buffer.alloc(0)
  let position = 0
  for (;;) {
    const { buffer, bytesRead } = await file.read(Buffer.allocUnsafe(CHUNK_BYTES), 0, CHUNK_BYTES, position)
    if (bytesRead === 0) return
    const bytes = Buffer.concat([rest, buffer.subarray(0, bytesRead)])
    const base = position - rest.length
    let start = 0
    for (let end = bytes.indexOf(NEWLINE); end >= 0; end = bytes.indexOf(NEWLINE, start)) {
      yield { offset: base + start, bytes: bytes.subarray(start, end) }
      start = end + 1
    }
    rest = bytes.subarray(start)
    position += bytesRead
  }
}

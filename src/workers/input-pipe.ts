import { readSync } from 'node:fs'
import type { Writable } from 'node:stream'

/**
 * Inputs cross to an engine process beside the messages, on a pipe of their own: as they lie in memory, in the order of the batches. A
 * message would copy a photograph's 600 KB three times more, into garbage that V8 then stops to collect.
 */

/** The engine process's descriptor: after stdin, stdout, stderr and the channel for messages. */
const FD = 4

/** The inputs must not change before the batch is answered. */
export function writeInputs(pipe: Writable, inputs: readonly Float32Array[]): void {
  pipe.cork()
  for (const { buffer, byteOffset, byteLength } of inputs) pipe.write(new Uint8Array(buffer, byteOffset, byteLength))
  pipe.uncork()
}

/** The other end, in the engine process. */
export class InputReader {
  #buffer = new ArrayBuffer(0)

  /** The next so many bytes, in memory that the next call uses again. Blocks until they are here: they are under way. */
  read(byteLength: number): Float32Array {
    if (this.#buffer.byteLength < byteLength) this.#buffer = new ArrayBuffer(byteLength)
    const bytes = new Uint8Array(this.#buffer, 0, byteLength)
    for (let at = 0; at < byteLength; ) {
      const count = readSync(FD, bytes, at, byteLength - at, null)
      if (count === 0) throw new Error('the pipe of inputs was closed')
      at += count
    }
    return new Float32Array(this.#buffer, 0, byteLength / Float32Array.BYTES_PER_ELEMENT)
  }
}

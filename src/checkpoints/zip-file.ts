import { inflateRawSync } from 'node:zlib'
import { fromRandomAccessReaderPromise, RandomAccessReader } from 'yauzl'
import { ByteCursor } from './byte-cursor.ts'
import { printable } from './pickle-value.ts'
import type { WeightFile } from './weight-file.ts'

/** One file of a zip. */
export interface ZipRecord {
  /** Where its bytes lie in the zip. */
  from: number
  storedBytes: number
  /** Once inflated. */
  bytes: number
  isStored: boolean
  isEncrypted: boolean
}

/** A ResNet-152 and its optimizer have 2,000. */
const MAX_RECORDS = 100_000

/** What a byte may inflate to: a pickle shrinks to a third or a tenth, a bomb to a thousandth. */
const MAX_INFLATION = 50

/**
 * yauzl's own reader of files ends the process, as an uncaught exception, where an offset in the zip is beyond what a file can
 * have. This one makes it an error.
 */
class Reader extends RandomAccessReader {
  readonly #file: WeightFile

  constructor(file: WeightFile) {
    super()
    this.#file = file
  }

  override read(
    buffer: Buffer,
    offset: number,
    length: number,
    position: number,
    callback: (error: Error | null, bytesRead?: number) => void,
  ): void {
    try {
      this.#file.read(position, length).copy(buffer, offset)
    } catch (error) {
      callback(error as Error)
      return
    }
    callback(null, length)
  }

  override close(callback: (error: Error | null) => void): void {
    callback(null)
  }
}

/**
 * The records by name, as the central directory has them: local headers may be empty, and checksums are not looked at.
 * Throws on what is no sound zip, names that lead out of a folder among it, and on two records of one name.
 */
export async function readZip(file: WeightFile): Promise<Map<string, ZipRecord>> {
  try {
    return await readDirectory(file)
  } catch (error) {
    throw new Error(`this zip is not sound: ${printable((error as Error).message, 200)}`, { cause: error })
  }
}

async function readDirectory(file: WeightFile): Promise<Map<string, ZipRecord>> {
  const zip = await fromRandomAccessReaderPromise(new Reader(file), file.bytes, { autoClose: false })
  const records = new Map<string, ZipRecord>()
  for await (const entry of zip.eachEntry()) {
    const { fileName: name, compressedSize: storedBytes, uncompressedSize: bytes } = entry
    if (records.size === MAX_RECORDS) throw new Error(`more than ${MAX_RECORDS} files`)
    if (records.has(name)) throw new Error(`two files are called ${name}`)
    const { fileDataStart: from } = await zip.readLocalFileHeaderPromise(entry, { minimal: true })
    records.set(name, {
      from,
      storedBytes,
      bytes,
      isStored: entry.compressionMethod === 0,
      isEncrypted: entry.isEncrypted(),
    })
  }
  return records
}

/** Over the bytes of a record of at most `limit`, which somebody may have deflated. */
export function openRecord(file: WeightFile, record: ZipRecord, limit: number): ByteCursor {
  const { from, storedBytes, bytes, isStored, isEncrypted } = record
  if (isEncrypted) throw new Error('is encrypted')
  if (bytes > limit) throw new Error(`has ${bytes} bytes; at most ${limit} are read`)
  if (isStored) return new ByteCursor((at, length) => file.read(at, length), from, from + bytes)
  if (bytes > MAX_INFLATION * storedBytes) throw new Error(`inflates from ${storedBytes} bytes to ${bytes}`)
  const inflated = inflate(file.read(from, storedBytes), bytes)
  return new ByteCursor((at, length) => inflated.subarray(at, at + length), 0, inflated.length)
}

function inflate(deflated: Buffer, bytes: number): Buffer {
  try {
    return inflateRawSync(deflated, { maxOutputLength: Math.max(1, bytes) })
  } catch (error) {
    throw new Error(`does not inflate to ${bytes} bytes, as the zip has it`, { cause: error })
  }
}

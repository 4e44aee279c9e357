import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { CommandError } from '../command-error.ts'
import type { Answer, Embedded, Failed, ModelIdentity } from '../predictor/predictor.ts'
import { type Line, linesOf } from './lines.ts'

/** The first line: what makes the rows of two runs comparable. */
export interface JournalHeader {
  journal: 'resnet-serve embed'
  model: string
  version: string
  embedding_space: string
  dimensions: number
  classes: number
  normalize: boolean
  /** `i/n`; null for all pictures. */
  shard: string | null
}

export function journalHeader(model: ModelIdentity, normalize: boolean, shard: string | null): JournalHeader {
  const { name, version, embeddingSpace, dimensions, classes } = model
  const space = { model: name, version, embedding_space: embeddingSpace }
  return { journal: 'resnet-serve embed', ...space, dimensions, classes, normalize, shard }
}

/** A picture with its answer. */
export interface Row {
  path: string
  embedding: Float32Array
  /** Absent for a model without classifier. */
  label?: string
  probability?: number
}

/** Rows to be written. They can be read more than once. */
export interface Table {
  header: JournalHeader
  count: number
  rows: () => AsyncIterable<Row>
}

/** Where the lines of pictures are, by the pictures' positions in a list. */
export interface JournalIndex {
  offsets: Float64Array
  /** 0 where there is no line. */
  lengths: Uint32Array
  /** 1 where the line is a failure. */
  failed: Uint8Array
}

/** A picture's line. */
type Entry = { path: string; embedding: string; label?: string; probability?: number } | Failed

const HEADER_BYTES = 4096

/**
 * What has been answered, in a file of JSON lines that only grows: after the header, a line for each picture with its
 * embedding (base64 of little-endian float32) or its failure. The process may be killed at any time: a line that was cut
 * off is passed over, and its picture computed again. Of several lines of one picture, the last counts. Nothing of it is
 * kept in memory.
 */
export class Journal {
  readonly path: string
  readonly #file: FileHandle
  readonly #header: JournalHeader
  #lines: string[] = []
  #current: Promise<void> = Promise.resolve()
  #next: Promise<void> | undefined

  private constructor(path: string, file: FileHandle, header: JournalHeader) {
    this.path = path
    this.#file = file
    this.#header = header
  }

  /** Opens the journal, or begins it. Throws a CommandError if it holds rows that are not comparable. */
  static async open(path: string, header: JournalHeader, restart: boolean): Promise<Journal> {
    const { O_RDWR, O_CREAT, O_APPEND, O_TRUNC } = constants
    const file = await open(path, O_RDWR | O_CREAT | O_APPEND | (restart ? O_TRUNC : 0), 0o644)
    try {
      const wanted = JSON.stringify(header)
      const { size } = await file.stat()
      const { buffer, bytesRead } = await file.read(Buffer.alloc(HEADER_BYTES), 0, HEADER_BYTES, 0)
      const [first = '', ...others] = buffer.toString('utf8', 0, bytesRead).split('\n')
      // One that was killed while it wrote its header has nothing to lose.
      const isCutOff = others.length === 0 && wanted.startsWith(first)
      if (!isCutOff) assertSame(path, first, header)
      if (isCutOff) await file.truncate(0)
      const { buffer: last } = await file.read(Buffer.alloc(1), 0, 1, Math.max(0, size - 1))
      if (isCutOff) await file.appendFile(`${wanted}\n`)
      else if (last[0] !== 0x0a) await file.appendFile('\n')
    } catch (error) {
      await file.close()
      throw error
    }
    return new Journal(path, file, header)
  }

  /** Resolves once the line has been given to the operating system. Lines that come during a write are written together. */
  append(answer: Answer): Promise<void> {
    this.#lines.push(`${JSON.stringify(entryOf(answer))}\n`)
    this.#next ??= this.#write()
    return this.#next
  }

  /** Finds the lines of `paths`, which are sorted. */
  async index(paths: readonly string[]): Promise<JournalIndex> {
    const offsets = new Float64Array(paths.length)
    const lengths = new Uint32Array(paths.length)
    const failed = new Uint8Array(paths.length)
    for await (const { offset, bytes } of linesOf(this.#file)) {
      const entry = parseEntry(bytes)
      const at = entry ? find(paths, entry.path) : -1
      if (entry === undefined || at === -1) continue
      offsets[at] = offset
      lengths[at] = bytes.length
      failed[at] = 'error' in entry ? 1 : 0
    }
    return { offsets, lengths, failed }
  }

  /** The pictures that have an embedding, in the list's order. */
  table(index: JournalIndex): Table {
    const count = index.lengths.reduce((sum, length, i) => (length > 0 && index.failed[i] === 0 ? sum + 1 : sum), 0)
    return { header: this.#header, count, rows: () => this.#rows(index) }
  }

  /** The pictures that failed, in the list's order. */
  async *failures(index: JournalIndex): AsyncGenerator<Failed> {
    for await (const entry of this.#entries(index, 1)) if ('error' in entry) yield entry
  }

  async close(): Promise<void> {
    await this.#file.close()
  }

  async #write(): Promise<void> {
    await this.#current
    // The answers of a batch come in one turn of the event loop.
    await nextTurn()
    const text = this.#lines.join('')
    this.#lines = []
    this.#next = undefined
    this.#current = this.#file.appendFile(text)
    await this.#current
  }

  async *#rows(index: JournalIndex): AsyncGenerator<Row> {
    for await (const entry of this.#entries(index, 0)) if ('embedding' in entry) yield rowOf(entry)
  }

  async *#entries({ offsets, lengths, failed }: JournalIndex, kind: 0 | 1): AsyncGenerator<Entry> {
    for (const [i, length] of lengths.entries()) {
      if (length === 0 || failed[i] !== kind) continue
      const { buffer } = await this.#file.read(Buffer.allocUnsafe(length), 0, length, offsets[i])
      yield JSON.parse(buffer.toString('utf8')) as Entry
    }
  }
}

function entryOf(answer: Answer): Entry {
  if ('error' in answer) return answer
  const { path, embedding, top } = answer as Embedded
  const { buffer, byteOffset, byteLength } = embedding
  const row = { path, embedding: Buffer.from(buffer, byteOffset, byteLength).toString('base64') }
  const [best] = top
  return best ? { ...row, label: best.label, probability: best.probability } : row
}

function rowOf({ embedding, ...rest }: Exclude<Entry, Failed>): Row {
  // A copy: bytes in a pool need not lie at a multiple of four.
  const bytes = Uint8Array.from(Buffer.from(embedding, 'base64'))
  return { ...rest, embedding: new Float32Array(bytes.buffer) }
}

/** Undefined for the header, and for a line that was cut off. */
function parseEntry(bytes: Line['bytes']): Entry | undefined {
  try {
    const entry = JSON.parse(bytes.toString('utf8')) as Partial<Entry>
    return typeof entry.path === 'string' ? (entry as Entry) : undefined
  } catch {
    return undefined
  }
}

/** Position of `path` in the sorted list, or -1. */
function find(paths: readonly string[], path: string): number {
  let [low, high] = [0, paths.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if ((paths[middle] as string) < path) low = middle + 1
    else high = middle
  }
  return paths[low] === path ? low : -1
}

function assertSame(path: string, line: string, wanted: JournalHeader): void {
  let found: Partial<JournalHeader> | null = null
  try {
    found = JSON.parse(line) as Partial<JournalHeader> | null
  } catch {}
  if (found?.journal !== wanted.journal) throw new CommandError(`${path} is no journal of resnet-serve embed`)
  const keys = Object.keys(wanted) as (keyof JournalHeader)[]
  const other = keys.find((key) => found?.[key] !== wanted[key])
  if (other === undefined) return
  throw new CommandError(
    `${path} has rows of another run: ${other} is ${found[other]} there and ${wanted[other]} now`,
    {
      hint: 'name another --out, or --restart to begin anew',
    },
  )
}

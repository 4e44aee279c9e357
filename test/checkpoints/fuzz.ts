/**
 * Opens damaged files: bytes of real ones are flipped, overwritten, moved, cut out and put in, in the file or in the pickle within
 * its zip. Every input must give an error with the file's name, or a result whose tensors have the shapes that it says and are
 * together no more than eight times the file.
 *
 * `npx tsx test/checkpoints/fuzz.ts 100000 [seed]` prints how many were refused, and the slowest.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { openCheckpoint } from '../../src/checkpoints/open-checkpoint.ts'
import { WeightFile } from '../../src/checkpoints/weight-file.ts'
import { readZip } from '../../src/checkpoints/zip-file.ts'
import { randomNumbers } from '../../src/engines/random.ts'
import { countValues } from '../../src/resnet/graph.ts'
import { type ZipEntry, zip } from '../helpers/zip.ts'

const CHECKPOINTS = resolve(import.meta.dirname, '../fixtures/checkpoints')

export interface FuzzResult {
  opened: number
  refused: number
  slowestMs: number
  /** How the process grew, at most. */
  grownMb: number
}

export async function fuzz(count: number, seed: number): Promise<FuzzResult> {
  const folder = mkdtempSync(join(tmpdir(), 'resnet-serve-fuzz-'))
  try {
    return await fuzzIn(folder, count, seed)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

async function fuzzIn(folder: string, count: number, seed: number): Promise<FuzzResult> {
  const random = randomNumbers(seed)
  const below = (limit: number): number => Math.floor(random() * limit)
  const sources = await readSources()
  const path = join(folder, 'model')
  const result: FuzzResult = { opened: 0, refused: 0, slowestMs: 0, grownMb: 0 }
  const before = process.memoryUsage.rss()
  for (let i = 0; i < count; i++) {
    const bytes = damaged(sources, below)
    writeFileSync(path, bytes)
    const start = performance.now()
    const reason = await openAndRead(path, bytes.length).catch((error) => {
      throw new Error(`input ${i} of seed ${seed}`, { cause: error })
    })
    result.slowestMs = Math.max(result.slowestMs, performance.now() - start)
    result.grownMb = Math.max(result.grownMb, (process.memoryUsage.rss() - before) / 2 ** 20)
    if (reason === undefined) result.opened++
    else if (reason.startsWith(`${folder}/`)) result.refused++
    else throw new Error(`input ${i} of seed ${seed}: ${reason}`)
  }
  return result
}

/** The reason of a refusal. Throws what is neither a result nor a refusal. */
async function openAndRead(path: string, bytes: number): Promise<string | undefined> {
  let checkpoint: Awaited<ReturnType<typeof openCheckpoint>>
  try {
    checkpoint = await openCheckpoint(path)
  } catch (error) {
    for (let cause = error; cause !== undefined; cause = (cause as Error).cause) assertMeant(cause as Error)
    return (error as Error).message
  }
  try {
    for (const { tensors, unreadable } of checkpoint.stateDicts) {
      for (const reason of unreadable.values()) assertMeant(new Error(reason))
      let total = 0
      for (const [name, tensor] of tensors) {
        const { length } = tensor.read()
        if (length !== countValues(tensor.shape)) throw new Error(`${name} has ${length} values in [${tensor.shape}]`)
        total += 4 * length
      }
      if (total > 8 * bytes + 2 ** 20) throw new Error(`${total} bytes out of ${bytes}`)
    }
  } finally {
    checkpoint.close()
  }
  return undefined
}

/** Errors that the language throws are mistakes of the program, not of the file. zlib's for too much output is none. */
function assertMeant(error: Error & { code?: string }): void {
  const isMeant = error.constructor === Error || error.code === 'ERR_BUFFER_TOO_LARGE'
  if (!isMeant || /undefined|is not (a function|iterable)|Cannot read|Maximum call/.test(error.message)) throw error
}

/** A file, and what is in it if it is a zip. */
interface Source {
  bytes: Buffer
  entries?: ZipEntry[]
}

async function readSources(): Promise<Source[]> {
  const names = readdirSync(CHECKPOINTS, { recursive: true, encoding: 'utf8' }).filter((name) => /\.\w+$/.test(name))
  return await Promise.all(
    names.sort().map(async (name) => {
      const file = new WeightFile(join(CHECKPOINTS, name))
      const bytes = readFileSync(file.path)
      if (bytes.toString('latin1', 0, 2) !== 'PK') return { bytes }
      const records = await readZip(file)
      file.close()
      const entries = [...records].map(([name, { from, bytes: length }]) => ({
        name,
        content: bytes.subarray(from, from + length),
      }))
      return { bytes, entries }
    }),
  )
}

function damaged(sources: Source[], below: (limit: number) => number): Buffer {
  const pick = <T>(from: readonly T[]): T => from[below(from.length)] as T
  const { bytes, entries } = pick(sources)
  const other = pick(sources)
  if (entries === undefined || below(3) === 0) return damage(bytes, other.bytes, below)
  // The pickle is most of what is to be damaged; the rest of a zip is padding.
  const at = below(2) === 0 ? 0 : below(entries.length)
  const from = pick(other.entries ?? entries)
  return zip(
    entries.map((entry, i) => (i === at ? { ...entry, content: damage(entry.content, from.content, below) } : entry)),
  )
}

/** Values at which sizes overflow or become negative, in 1, 2, 4 and 8 bytes, and opcodes that take what is on the stack. */
const EXTREMES = [
  '00',
  'ff',
  '7f',
  '80',
  'ffff',
  'ff7f',
  'ffffffff',
  'ffffff7f',
  '00000080',
  'ffffffffffffffff',
  'ffffffffffff0f00',
  '7d',
  '5d',
  '28',
  '52',
  '81',
  '62',
  '75',
  '51',
  '6800',
  '7100',
  '94',
  '2e',
  '8affff',
]

function damage(bytes: Uint8Array, other: Uint8Array, below: (limit: number) => number): Buffer {
  let damaged: Buffer = Buffer.from(bytes)
  for (let times = below(4) + 1; times > 0; times--) {
    const at = below(damaged.length + 1)
    const length = Math.min(damaged.length - at, 1 << below(8))
    const extreme = Buffer.from(EXTREMES[below(EXTREMES.length)] as string, 'hex')
    const join = (middle: Uint8Array, skipped: number): Buffer =>
      Buffer.concat([damaged.subarray(0, at), middle, damaged.subarray(Math.min(at + skipped, damaged.length))])
    switch (below(7)) {
      case 0:
        damaged = join(Buffer.of((damaged[at] ?? 0) ^ (1 << below(8))), 1)
        break
      case 1:
        damaged = join(Buffer.of(below(256)), 1)
        break
      case 2:
        damaged = join(extreme, extreme.length)
        break
      case 3:
        damaged = join(extreme, 0)
        break
      case 4:
        damaged = join(new Uint8Array(0), length)
        break
      case 5: {
        const from = below(damaged.length + 1)
        damaged = join(damaged.subarray(from, from + length), below(2) * length)
        break
      }
      case 6: {
        const from = below(other.length + 1)
        damaged = join(other.subarray(from, from + length), below(2) * length)
        break
      }
    }
  }
  return damaged
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [count = '100000', seed = '1'] = process.argv.slice(2)
  console.log(await fuzz(Number(count), Number(seed)))
}

import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { onTestFinished } from 'vitest'
import { type Checkpoint, openCheckpoint } from '../../src/checkpoints/open-checkpoint.ts'
import type { StoredStateDict, StoredTensor } from '../../src/checkpoints/stored-tensor.ts'
import { temporaryFolder } from './temporary-folder.ts'
import { type ZipEntry, zip } from './zip.ts'

/** Written by training/checkpoint_fixtures.py. */
export const CHECKPOINTS = resolve(import.meta.dirname, '../fixtures/checkpoints')

/** What a tensor holds, in the form of expected.json: its values, or the beginning of their sha256 where they are many. */
interface ExpectedTensor {
  dtype: string
  shape: number[]
  values?: (number | string)[]
  sha256?: string
}

/** By file, by place in it, by name. */
export const EXPECTED: Record<string, Record<string, Record<string, ExpectedTensor>>> = JSON.parse(
  readFileSync(join(CHECKPOINTS, 'expected.json'), 'utf8'),
)

export function summary({ dtype, shape, read }: StoredTensor): ExpectedTensor {
  const values = read()
  if (values.length > 12) {
    const sha256 = createHash('sha256').update(new Uint8Array(values.buffer)).digest('hex').slice(0, 16)
    return { dtype, shape, sha256 }
  }
  const names = new Map([
    [Number.POSITIVE_INFINITY, 'inf'],
    [Number.NEGATIVE_INFINITY, '-inf'],
    [Number.NaN, 'nan'],
  ])
  return { dtype, shape, values: [...values].map((value) => names.get(value) ?? value) }
}

/** Closed after the test. */
export async function open(path: string): Promise<Checkpoint> {
  const checkpoint = await openCheckpoint(path)
  onTestFinished(() => checkpoint.close())
  return checkpoint
}

export const openBytes = (bytes: Uint8Array): Promise<Checkpoint> =>
  open(join(temporaryFolder({ 'model.pt': bytes }), 'model.pt'))

/** What torch.save writes: this pickle, and storages by key. */
export function torchZip(pickle: Uint8Array, storages: Record<string, Uint8Array> = {}, more: ZipEntry[] = []): Buffer {
  const data = Object.entries(storages).map(([key, content]) => ({ name: `model/data/${key}`, content }))
  return zip([{ name: 'model/data.pkl', content: pickle }, ...data, ...more])
}

export const openPickle = (pickle: Uint8Array, storages?: Record<string, Uint8Array>): Promise<Checkpoint> =>
  openBytes(torchZip(pickle, storages))

/** Its only state_dict. */
export function only({ stateDicts }: Checkpoint): StoredStateDict {
  const [first, ...others] = stateDicts
  if (first === undefined || others.length > 0) throw new Error(`${stateDicts.length} state_dicts`)
  return first
}

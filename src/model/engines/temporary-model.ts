import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Where a model may be written for the moment that TensorFlow takes to read it; the second is memory, on Linux. */
const PLACES = [tmpdir(), '/dev/shm']

/**
 * Writes a SavedModel to a folder that only this user can read, gives it to `load`, and removes it again: weights are
 * not left lying about, and TensorFlow holds them in memory once loaded.
 */
export async function withTemporaryModel<T>(
  savedModel: Uint8Array,
  load: (folder: string) => Promise<T>,
  places: readonly string[] = PLACES,
): Promise<T> {
  const folder = await write(savedModel, places)
  try {
    return await load(folder)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** In the first place that takes it: a temporary folder may be full, or its file system read-only. */
async function write(savedModel: Uint8Array, places: readonly string[]): Promise<string> {
  const reasons: string[] = []
  for (const place of places) {
    let folder: string | undefined
    try {
      folder = await mkdtemp(join(place, 'resnet-serve-'))
      await chmod(folder, 0o700)
      await mkdir(join(folder, 'variables'))
      await writeFile(join(folder, 'saved_model.pb'), savedModel, { mode: 0o600 })
      return folder
    } catch (error) {
      if (folder !== undefined) await rm(folder, { recursive: true, force: true })
      reasons.push(`${place}: ${(error as Error).message}`)
    }
  }
  throw new Error(`TensorFlow loads models from files, and none can be written: ${reasons.join('; ')}`)
}

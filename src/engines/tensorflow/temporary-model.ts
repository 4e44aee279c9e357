import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Where a model may be written for the moment that TensorFlow takes to read it; the second is memory, on Linux. */
const PLACES = [tmpdir(), '/dev/shm']

/**
 * Writes a SavedModel to a folder that only this user can read, gives it to `load`, and removes it again, also when the
 * process ends meanwhile: weights are not left lying about, and TensorFlow holds them in memory once loaded.
 */
export async function withTemporaryModel<T>(
  savedModel: Uint8Array,
  load: (folder: string) => Promise<T>,
  places: readonly string[] = PLACES,
): Promise<T> {
  const folder = write(savedModel, places)
  const clean = (): void => remove(folder)
  process.once('exit', clean)
  try {
    return await load(folder)
  } finally {
    process.off('exit', clean)
    clean()
  }
}

/**
 * In the first place that takes it: a temporary folder may be full, or its file system read-only. In one go, so that
 * nothing can end the process between the folder's creation and the promise to remove it.
 */
function write(savedModel: Uint8Array, places: readonly string[]): string {
  const reasons: string[] = []
  for (const place of places) {
    let folder: string | undefined
    try {
      folder = mkdtempSync(join(place, 'resnet-serve-'))
      chmodSync(folder, 0o700)
      mkdirSync(join(folder, 'variables'))
      writeFileSync(join(folder, 'saved_model.pb'), savedModel, { mode: 0o600 })
      return folder
    } catch (error) {
      if (folder !== undefined) remove(folder)
      reasons.push(`${place}: ${(error as Error).message}`)
    }
  }
  throw new Error(`TensorFlow loads models from files, and none can be written: ${reasons.join('; ')}`)
}

function remove(folder: string): void {
  rmSync(folder, { recursive: true, force: true })
}

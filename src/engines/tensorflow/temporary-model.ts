import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Where the model may be written while TensorFlow reads it. On Linux, the second is in memory. */
const PLACES = [tmpdir(), '/dev/shm']

/**
 * Writes a SavedModel to a folder that only this user can read, passes the folder to `load`, then removes it. Removes it
 * too when the process ends first: no weights stay on the disk.
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
 * Writes to the first place that works: one may be full or read-only. Synchronous, so that the process cannot end between
 * the folder's creation and the registration of its removal.
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
  throw new Error(`TensorFlow loads models from files, and no temporary file can be written: ${reasons.join('; ')}`)
}

function remove(folder: string): void {
  rmSync(folder, { recursive: true, force: true })
}

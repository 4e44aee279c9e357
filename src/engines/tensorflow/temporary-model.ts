import {
  chmodSync,
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Where the model may be written while TensorFlow reads it. On Linux, the second is in memory. */
const PLACES = [tmpdir(), '/dev/shm']

/** Has a link to each file that this process holds open. */
const OPEN_FILES = '/proc/self/fd'

interface TemporaryModel {
  folder: string
  /** The weights, where the folder has only a link to them. */
  file: number | undefined
}

/**
 * Writes a SavedModel, passes a folder that only this user can read to `load`, then removes it. The weights lie in a file
 * without a name, which the system frees however the process ends, by SIGKILL too: what that leaves behind is a folder
 * with a dead link. Where the system has no links to open files, the folder holds the weights until the process ends.
 */
export async function withTemporaryModel<T>(
  savedModel: Uint8Array,
  load: (folder: string) => Promise<T>,
  places: readonly string[] = PLACES,
  openFiles: string = OPEN_FILES,
): Promise<T> {
  const model = write(savedModel, places, openFiles)
  const clean = (): void => remove(model)
  process.once('exit', clean)
  try {
    return await load(model.folder)
  } finally {
    process.off('exit', clean)
    clean()
  }
}

/**
 * Writes to the first place that works: one may be full or read-only. Synchronous, so that the process cannot end between
 * the folder's creation and the registration of its removal.
 */
function write(savedModel: Uint8Array, places: readonly string[], openFiles: string): TemporaryModel {
  const reasons: string[] = []
  for (const place of places) {
    const model: TemporaryModel = { folder: '', file: undefined }
    try {
      model.folder = mkdtempSync(join(place, 'resnet-serve-'))
      chmodSync(model.folder, 0o700)
      mkdirSync(join(model.folder, 'variables'))
      const path = join(model.folder, 'saved_model.pb')
      model.file = linkToUnnamed(path, openFiles)
      writeFileSync(model.file ?? path, savedModel, { mode: 0o600 })
      return model
    } catch (error) {
      remove(model)
      reasons.push(`${place}: ${(error as Error).message}`)
    }
  }
  throw new Error(`TensorFlow loads models from files, and no temporary file can be written: ${reasons.join('; ')}`)
}

/** Opens a file without a name, and puts a link to it at `path`; undefined, and nothing there, if that cannot be read. */
function linkToUnnamed(path: string, openFiles: string): number | undefined {
  const file = openSync(path, 'wx+', 0o600)
  unlinkSync(path)
  symlinkSync(join(openFiles, String(file)), path)
  try {
    closeSync(openSync(path, 'r'))
    return file
  } catch {
    closeSync(file)
    unlinkSync(path)
    return undefined
  }
}

function remove({ folder, file }: TemporaryModel): void {
  if (file !== undefined) closeSync(file)
  if (folder !== '') rmSync(folder, { recursive: true, force: true })
}

import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { access, constants, mkdir, stat, statfs } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'
import { InstallError } from './install-error.ts'

export async function sha256(path: string): Promise<string> {
  const hash = createHash('sha256')
  await pipeline(createReadStream(path), hash)
  return hash.digest('hex')
}

export async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  )
}

/** Creates the folder if it is missing. Throws an InstallError if it is not writable. */
export async function requireFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true })
    await access(folder, constants.W_OK)
  } catch (error) {
    throw new InstallError(
      `${folder} cannot be written to (${(error as NodeJS.ErrnoException).code}); ` +
        'TENSORFLOW_DIR can name a folder elsewhere',
    )
  }
}

/** Throws an InstallError if the file system of `folder` has less than `needed` GiB free. */
export async function requireSpace(folder: string, needed: number): Promise<void> {
  const { bavail, bsize } = await statfs(folder)
  const free = (bavail * bsize) / 2 ** 30
  if (free >= needed) return
  throw new InstallError(
    `${folder} has ${free.toFixed(1)} GiB free and the install needs ${needed.toFixed(1)} GiB; ` +
      'TENSORFLOW_DIR can name a folder elsewhere',
  )
}

import { createHash, type Hash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { access, constants, mkdir, open, readdir, readlink, stat, statfs } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { InstallError } from './install-error.ts'
import type { Progress } from './progress.ts'

export async function sha256(path: string, progress: Progress): Promise<string> {
  const hash = createHash('sha256')
  const bar = progress.bytes('checking', (await stat(path)).size)
  await hashFile(path, hash, bar.add)
  bar.end()
  return hash.digest('hex')
}

/** One sha256 over names and contents of all files and links below the folder, but for those that `isPart` leaves out. */
export async function sha256OfTree(
  folder: string,
  isPart: (path: string) => boolean,
  progress: Progress,
): Promise<string> {
  const files: { path: string; size: number; link?: string }[] = []
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const path = relative(folder, join(entry.parentPath, entry.name))
    if (entry.isDirectory() || !isPart(path)) continue
    if (entry.isSymbolicLink()) files.push({ path, size: 0, link: await readlink(join(folder, path)) })
    else files.push({ path, size: (await stat(join(folder, path))).size })
  }
  const hash = createHash('sha256')
  const bar = progress.bytes(
    'checking',
    files.reduce((sum, { size }) => sum + size, 0),
  )
  for (const file of files.sort((a, b) => (a.path < b.path ? -1 : 1))) {
    // With the size, one file's end cannot pass for the next one's beginning.
    hash.update(`${JSON.stringify(file)}\n`)
    if (file.link === undefined) await hashFile(join(folder, file.path), hash, bar.add)
  }
  bar.end()
  return hash.digest('hex')
}

async function hashFile(path: string, hash: Hash, add: (count: number) => void): Promise<void> {
  for await (const chunk of createReadStream(path, { highWaterMark: 2 ** 20 })) {
    hash.update(chunk as Buffer)
    add((chunk as Buffer).length)
  }
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

/** Whether the file holds this text anywhere. */
export async function fileContains(path: string, text: string): Promise<boolean> {
  let tail = ''
  for await (const chunk of createReadStream(path, { encoding: 'latin1', highWaterMark: 2 ** 22 })) {
    const window = tail + (chunk as string)
    if (window.includes(text)) return true
    tail = window.slice(-text.length)
  }
  return false
}

/** The first bytes of a file. */
export async function firstBytes(path: string, count: number): Promise<Buffer> {
  const file = await open(path)
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(count), 0, count, 0)
    return buffer.subarray(0, bytesRead)
  } finally {
    await file.close()
  }
}

/** Passes chunks through and reports their lengths. */
export function counted(add: (count: number) => void) {
  return async function* (source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const chunk of source) {
      add(chunk.length)
      yield chunk
    }
  }
}

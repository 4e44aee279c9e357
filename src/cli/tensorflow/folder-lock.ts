import { readFile, rm, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { lock } from 'proper-lockfile'
import { InstallError } from './install-error.ts'

/** A process that was killed leaves its lock behind; it counts until it has not been renewed for this long. */
const STALE_MS = 10_000

/**
 * Runs `work` while no other process does so in this folder. Throws an InstallError that says who holds the lock. A process
 * that loses its lock, because it was stopped for longer than STALE_MS, ends: another may be at work there.
 */
export async function withFolderLock<T>(folder: string, work: () => Promise<T>): Promise<T> {
  const holder = join(folder, '.lock-holder')
  const unlock = await acquire(folder, holder)
  try {
    await writeFile(holder, `process ${process.pid} on ${hostname()}, since ${new Date().toISOString()}\n`)
    return await work()
  } finally {
    await rm(holder, { force: true })
    await unlock()
  }
}

async function acquire(folder: string, holder: string): Promise<() => Promise<void>> {
  try {
    return await lock(folder, {
      lockfilePath: join(folder, '.lock'),
      stale: STALE_MS,
      onCompromised() {
        throw new InstallError(`${folder}: this process was stopped for too long, and another may be installing there`)
      },
    })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ELOCKED') throw error
    const [who = ''] = (await readFile(holder, 'utf8').catch(() => '')).split('\n')
    throw new InstallError(
      `another install is at work in ${folder}: ${who || 'an unknown process'} ` +
        `(if it was killed, try again in ${STALE_MS / 1000} s)`,
    )
  }
}

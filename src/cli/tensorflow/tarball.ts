import { createReadStream } from 'node:fs'
import { mkdir, stat } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'
import { extract } from 'tar'
import { counted } from './files.ts'
import { InstallError } from './install-error.ts'
import type { Progress } from './progress.ts'

/** Unpacks lib/ and include/ of an official libtensorflow tarball (.tar.gz) into `deps`. */
export async function unpackTarball(path: string, deps: string, progress: Progress): Promise<void> {
  await mkdir(deps, { recursive: true })
  const bar = progress.bytes('unpacking', (await stat(path)).size)
  try {
    await pipeline(
      createReadStream(path, { highWaterMark: 2 ** 20 }),
      counted(bar.add),
      extract({ cwd: deps, strict: true, filter: (entry) => /^(\.\/)?(lib|include)\//.test(entry) }),
    )
  } catch (error) {
    throw new InstallError(`${path} cannot be unpacked: ${(error as Error).message}`)
  } finally {
    bar.end()
  }
}

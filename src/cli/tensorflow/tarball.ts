import { createReadStream } from 'node:fs'
import { mkdir, stat } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'
import { extract } from 'tar'
import { InstallError } from './install-error.ts'
import type { Progress } from './progress.ts'

/** Unpacks lib/ and include/ of an official libtensorflow tarball (.tar.gz) into `deps`; all of it is there on return. */
export async function unpackTarball(path: string, deps: string, progress: Progress): Promise<void> {
  await mkdir(deps, { recursive: true })
  const bar = progress.bytes('unpacking', (await stat(path)).size)
  const bytes = createReadStream(path, { highWaterMark: 2 ** 20 })
  bytes.on('data', (chunk) => bar.add(chunk.length))
  try {
    // tar's stream finishes when its last file is closed. With a generator in between, the wait would end too early, at
    // the first `drain` after the last bytes.
    await pipeline(
      bytes,
      extract({ cwd: deps, strict: true, filter: (entry) => /^(\.\/)?(lib|include)\//.test(entry) }),
    )
  } catch (error) {
    throw new InstallError(`${path} cannot be unpacked: ${(error as Error).message}`)
  } finally {
    bar.end()
  }
}

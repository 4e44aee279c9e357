import type { Clock } from '../batching/clock.ts'
import type { ModelRepository } from '../model/model-repository.ts'
import type { FoundVersion } from '../repository/repository.ts'

interface WatchOptions {
  clock: Clock
  everyMs: number
  scan: () => Promise<FoundVersion[]>
  /** What was there when the server started, and is not new. */
  known: readonly FoundVersion[]
  /** Whether such a version is to be loaded at all. */
  isChosen: (version: FoundVersion) => boolean
  repository: Pick<ModelRepository, 'isMissing' | 'load'>
  warn: (message: string) => void
}

/**
 * Looks into the model repository from time to time and loads what is new, once its files have been the same for two looks:
 * until then they may still be being copied. One that cannot be loaded is tried again when its files have changed. Polls,
 * since volumes that are mounted over a network send no events. Returns what ends it.
 */
export function watchRepository({ clock, everyMs, scan, known, ...options }: WatchOptions): () => void {
  const { isChosen, repository, warn } = options
  const tried = fingerprints(known)
  let seen = new Map<string, string>()
  let ended = false
  let callOff = clock.after(everyMs, look)

  async function load({ name, version, fingerprint }: FoundVersion): Promise<void> {
    tried.set(idOf({ name, version }), fingerprint)
    // The repository says in the log what became of it, but not what it refused.
    await repository.load(name, version).catch((error: Error & { code?: string }) => {
      if (error.code !== 'load_failed') warn(error.message)
    })
  }

  async function lookOnce(): Promise<void> {
    const found = await scan()
    for (const each of found) {
      const id = idOf(each)
      const isSettled = seen.get(id) === each.fingerprint && tried.get(id) !== each.fingerprint
      if (isSettled && isChosen(each) && repository.isMissing(each.name, each.version)) await load(each)
    }
    seen = fingerprints(found)
  }

  function look(): void {
    lookOnce()
      .catch((error: Error) => warn(`looking for new models failed: ${error.message}`))
      .finally(() => {
        if (!ended) callOff = clock.after(everyMs, look)
      })
  }

  return () => {
    ended = true
    callOff()
  }
}

function fingerprints(found: readonly FoundVersion[]): Map<string, string> {
  return new Map(found.map((each) => [idOf(each), each.fingerprint]))
}

function idOf({ name, version }: { name: string; version: string }): string {
  return `${name}/${version}`
}

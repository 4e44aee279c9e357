import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { NAME_PATTERN } from '../../repository/manifest.ts'

interface Identity {
  name: string
  version: string
  /** Whether the version may be there already. */
  force: boolean
}

/** `<repository>/<name>/<version>`. Throws where a name is none, or the version exists. */
export function targetFolder(repository: string, { name, version, force }: Identity): string {
  for (const [what, value] of [
    ['--name', name],
    ['--version', version],
  ] as const) {
    // A name that begins with a dot is passed over when the repository is read.
    if (!new RegExp(NAME_PATTERN).test(value) || value.startsWith('.')) {
      throw new Error(
        `${what} ${JSON.stringify(value)}: letters, digits, dots, dashes and underlines, at most 64, no dot in front`,
      )
    }
  }
  const target = join(resolve(repository), name, version)
  if (existsSync(target) && !force) throw new Error(`${target} exists: --force replaces it, --version gives another`)
  return target
}

/** An empty folder beside `target`, under a name that the server passes over. */
export function newFolder(target: string): string {
  const folder = join(dirname(target), `.importing-${process.pid}`)
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  return folder
}

/** Gives a whole folder its name. What was there before is replaced, so that no reader sees half of each. */
export function moveIntoPlace(folder: string, target: string): void {
  const old = `${folder}-old`
  if (existsSync(target)) renameSync(target, old)
  renameSync(folder, target)
  rmSync(old, { recursive: true, force: true })
}

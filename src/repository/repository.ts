import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { type Manifest, NAME_PATTERN, parseManifest } from './manifest.ts'

/** One `<name>/<version>/` folder whose model.json is sound. */
export interface RepositoryEntry {
  directory: string
  manifest: Manifest
}

const NAME = new RegExp(NAME_PATTERN)

/**
 * Finds every `<name>/<version>/model.json` under `root` and checks it. Throws a plain Error that names the folder: a
 * repository with one broken model is refused as a whole, since a silently missing model is found out too late.
 */
export function readRepository(root: string): RepositoryEntry[] {
  const entries: RepositoryEntry[] = []
  for (const name of folders(root)) {
    for (const version of folders(join(root, name))) {
      entries.push(readEntry(join(root, name, version), name, version))
    }
  }
  if (entries.length === 0) throw new Error(`no <name>/<version>/model.json under ${root}`)
  return entries
}

function readEntry(directory: string, name: string, version: string): RepositoryEntry {
  try {
    const manifest = parseManifest(readFileSync(join(directory, 'model.json'), 'utf8'))
    if (manifest.name !== name || manifest.version !== version) {
      throw new Error(`says ${manifest.name}/${manifest.version}, the folder says ${name}/${version}`)
    }
    return { directory, manifest }
  } catch (error) {
    throw new Error(`${join(directory, 'model.json')}: ${(error as Error).message}`, { cause: error })
  }
}

/**
 * Hidden folders are passed over: volume mounts leave `..data` and `lost+found` beside the real ones. Links count as
 * what they lead to, since such mounts are made of links.
 */
function folders(path: string): string[] {
  try {
    return readdirSync(path)
      .filter((name) => !name.startsWith('.') && NAME.test(name))
      .filter((name) => statSync(join(path, name)).isDirectory())
      .sort()
  } catch (error) {
    throw new Error(`cannot read the model repository: ${(error as Error).message}`, { cause: error })
  }
}

/** Orders versions: numbers by value (2 before 10), then everything else by name. The last is the default. */
export function compareVersions(a: string, b: string): number {
  return a.localeCompare(b, 'en', { numeric: true })
}

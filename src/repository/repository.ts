import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { inFile } from './in-file.ts'
import { type Manifest, NAME_PATTERN, parseManifest } from './manifest.ts'

/** One `<name>/<version>/` folder with a valid model.json. */
export interface RepositoryEntry {
  directory: string
  manifest: Manifest
}

const NAME = new RegExp(NAME_PATTERN)

/**
 * Reads and checks every `<name>/<version>/model.json` under `root`. Throws a plain Error that names the file if one is
 * broken: a model that is silently missing would be noticed too late.
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
  const path = join(directory, 'model.json')
  return inFile(path, () => {
    const manifest = parseManifest(readFileSync(path, 'utf8'))
    if (manifest.name !== name || manifest.version !== version) {
      throw new Error(`says ${manifest.name}/${manifest.version}, the folder says ${name}/${version}`)
    }
    return { directory, manifest }
  })
}

/**
 * Names of the subfolders. Skips hidden ones and `lost+found`, which volume mounts contain. Follows links, which such
 * mounts consist of.
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

/** Orders versions, with numbers by value (2 before 10). The last is the default. */
export function compareVersions(a: string, b: string): number {
  return a.localeCompare(b, 'en', { numeric: true })
}

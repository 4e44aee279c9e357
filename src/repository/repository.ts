import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { fileError } from './in-file.ts'
import { type Manifest, NAME_PATTERN, parseManifest } from './manifest.ts'

/** One `<name>/<version>/` folder with a valid model.json. */
export interface RepositoryEntry {
  directory: string
  manifest: Manifest
}

/** One `<name>/<version>/` folder of a model, whatever its files are worth. */
export interface FoundVersion {
  name: string
  version: string
  /** An Error that names the file if model.json is missing or invalid. */
  entry: RepositoryEntry | Error
  /** Another one whenever a file of the folder has changed: names, sizes and times. */
  fingerprint: string
}

const NAME = new RegExp(NAME_PATTERN)

/**
 * Every model under `root`, by name and version. Passes over what is no model at all (a link that leads nowhere, a folder of
 * notes, what an archiver leaves behind) and tells `warn`. Rejects with a plain Error if the folder cannot be read. Not
 * synchronous: a volume that hangs must not hold up requests.
 */
export async function scanRepository(
  root: string,
  warn: (message: string) => void = () => {},
): Promise<FoundVersion[]> {
  const found: FoundVersion[] = []
  for (const name of await folders(root, warn)) {
    for (const version of await folders(join(root, name), warn)) {
      const directory = join(root, name, version)
      const files = await readdir(directory)
      // Weights without a model.json are a model too, and a broken one.
      if (files.includes('model.json') || files.includes('weights.safetensors')) {
        const fingerprint = await fingerprintOf(directory, files)
        found.push({ name, version, entry: await readEntry(directory, name, version), fingerprint })
      } else warn(`${directory} has no model.json and is passed over`)
    }
  }
  return found
}

/**
 * The same, of sound models only. Rejects with a plain Error that names the file if one is broken: a model that is silently
 * missing would be noticed too late.
 */
export async function readRepository(root: string, warn?: (message: string) => void): Promise<RepositoryEntry[]> {
  const found = await scanRepository(root, warn)
  if (found.length === 0) throw new Error(`no <name>/<version>/model.json under ${root}`)
  return found.map(({ entry }) => {
    if (entry instanceof Error) throw entry
    return entry
  })
}

async function readEntry(directory: string, name: string, version: string): Promise<RepositoryEntry | Error> {
  const path = join(directory, 'model.json')
  try {
    const manifest = parseManifest(await readFile(path, 'utf8'))
    if (manifest.name !== name || manifest.version !== version) {
      throw new Error(`says ${manifest.name}/${manifest.version}, the folder says ${name}/${version}`)
    }
    return { directory, manifest }
  } catch (error) {
    return fileError(path, error)
  }
}

async function fingerprintOf(directory: string, files: string[]): Promise<string> {
  const facts = files.sort().map(async (file) => {
    // What is gone by now, or was never there behind its link, is another state of the folder.
    const { size, mtimeMs, ino } = await stat(join(directory, file)).catch(() => ({ size: 0, mtimeMs: 0, ino: 0 }))
    return `${file} ${size} ${mtimeMs} ${ino}`
  })
  return (await Promise.all(facts)).join('\n')
}

/**
 * Names of the subfolders. Skips hidden ones and `lost+found`, which volume mounts contain. Follows links, which such
 * mounts consist of.
 */
async function folders(path: string, warn: (message: string) => void): Promise<string[]> {
  try {
    const names: string[] = []
    for (const name of (await readdir(path)).sort()) {
      if (!name.startsWith('.') && NAME.test(name) && (await isFolder(join(path, name), warn))) names.push(name)
    }
    return names
  } catch (error) {
    throw new Error(`cannot read the model repository: ${(error as Error).message}`, { cause: error })
  }
}

async function isFolder(path: string, warn: (message: string) => void): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory()
  } catch (error) {
    if (!['ENOENT', 'ELOOP'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error
    warn(`${path} is a link that leads nowhere and is passed over`)
    return false
  }
}

/**
 * A release and what is said of it before it is out: semver's `1.0.0-anything`, and the words that Python and others have
 * for it after any number (`1.0rc1`, `v2-beta.3`).
 */
const PRE_RELEASE =
  /^(v?\d+\.\d+\.\d+(?=-)|v?\d+(?:\.\d+)*(?=[-._]?(?:alpha|beta|preview|pre|dev|rc|[abc](?=\d))(?![a-z])))(.+)$/i

/**
 * Orders versions: numbers by value (2 before 10), then everything else by name, and a pre-release before its release.
 * The last is the default. The order of `semver` is not enough: it puts rc10 before rc2, and knows neither 2 nor 1.10.
 */
export function compareVersions(a: string, b: string): number {
  const [[releaseA, preA], [releaseB, preB]] = [splitVersion(a), splitVersion(b)]
  return compareNames(releaseA, releaseB) || Number(preA === '') - Number(preB === '') || compareNames(preA, preB)
}

function splitVersion(version: string): [release: string, preRelease: string] {
  const [, release, preRelease] = PRE_RELEASE.exec(version) ?? []
  return release === undefined || preRelease === undefined ? [version, ''] : [release, preRelease]
}

function compareNames(a: string, b: string): number {
  return a.localeCompare(b, 'en', { numeric: true })
}

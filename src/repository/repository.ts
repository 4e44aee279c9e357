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
 * broken: a model that is silently missing would be noticed too late. Passes over what is no model at all (a link that leads
 * nowhere, a folder of notes, what an archiver leaves behind) and tells `warn`.
 */
export function readRepository(root: string, warn: (message: string) => void = () => {}): RepositoryEntry[] {
  const entries: RepositoryEntry[] = []
  for (const name of folders(root, warn)) {
    for (const version of folders(join(root, name), warn)) {
      const directory = join(root, name, version)
      if (isModel(directory)) entries.push(readEntry(directory, name, version))
      else warn(`${directory} has no model.json and is passed over`)
    }
  }
  if (entries.length === 0) throw new Error(`no <name>/<version>/model.json under ${root}`)
  return entries
}

/** Weights without a model.json are a model too, and a broken one. */
function isModel(directory: string): boolean {
  const files = readdirSync(directory)
  return files.includes('model.json') || files.includes('weights.safetensors')
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
function folders(path: string, warn: (message: string) => void): string[] {
  try {
    return readdirSync(path)
      .filter((name) => !name.startsWith('.') && NAME.test(name))
      .filter((name) => isFolder(join(path, name), warn))
      .sort()
  } catch (error) {
    throw new Error(`cannot read the model repository: ${(error as Error).message}`, { cause: error })
  }
}

function isFolder(path: string, warn: (message: string) => void): boolean {
  try {
    return statSync(path).isDirectory()
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

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
 * repository with one broken model is refused as a whole, since a silently missing model is found out too late. What is
 * no model at all (a link that leads nowhere, a folder of notes, what an archiver leaves behind) is passed over, and
 * `warn` is told.
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

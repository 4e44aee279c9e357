import { createWriteStream } from 'node:fs'
import { chmod, mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { type Entry, openPromise } from 'yauzl'
import { toolEnvironment } from '../../server/config.ts'
import { lastLines, runCommand } from '../run-command.ts'
import { counted, exists, sha256 } from './files.ts'
import { InstallError } from './install-error.ts'
import type { Progress } from './progress.ts'

/** A Python wheel, by its name and the sha256 of the whole file. */
interface Wheel {
  file: string
  sha256: string
}

/** The Python that our wheels' tags name. pip may run on any other. */
const PYTHON_TAGS = ['--python-version', '3.11', '--implementation', 'cp', '--abi', 'cp311', '--abi', 'none']

/**
 * The path of the wheel, checked against its hash. `offline` is a folder of wheels or the one file. Without it, pip
 * downloads to `downloads`, where the wheel of an earlier attempt is reused.
 */
export async function obtainWheel(
  wheel: Wheel,
  downloads: string,
  offline: string | undefined,
  progress: Progress,
): Promise<string> {
  if (offline !== undefined) {
    const path = offline.endsWith('.whl') ? offline : join(offline, wheel.file)
    if (basename(path) !== wheel.file || !(await exists(path)))
      throw new InstallError(`${wheel.file} is not at ${offline}`)
    return await checked(path, wheel, progress)
  }
  const path = join(downloads, wheel.file)
  if (await exists(path)) {
    try {
      return await checked(path, wheel, progress)
    } catch {
      await rm(path)
    }
  }
  progress.step(`  downloading ${wheel.file}`)
  await download(wheel, downloads, progress)
  return await checked(path, wheel, progress)
}

async function checked(path: string, wheel: Wheel, progress: Progress): Promise<string> {
  const actual = await sha256(path, progress)
  if (actual === wheel.sha256) return path
  throw new InstallError(`hash mismatch: ${path} has sha256 ${actual}, expected ${wheel.sha256}`)
}

/** pip's temporary folder lies beside the downloads, so that the one check of free space covers it. */
async function download(wheel: Wheel, downloads: string, progress: Progress): Promise<void> {
  const temporary = join(downloads, 'pip')
  await rm(temporary, { recursive: true, force: true })
  await mkdir(temporary, { recursive: true })
  const { requirement, platforms } = parseWheelName(wheel.file)
  const requirements = join(temporary, 'requirements.txt')
  await writeFile(requirements, `${requirement} --hash=sha256:${wheel.sha256}\n`)
  const { code, stderr } = await runCommand(
    'python3',
    [
      ...['-m', 'pip', 'download', '--no-deps', '--only-binary=:all:', '--require-hashes'],
      ...['--no-cache-dir', '--disable-pip-version-check', '--requirement', requirements, '--dest', temporary],
      ...PYTHON_TAGS,
      ...platforms.flatMap((platform) => ['--platform', platform]),
    ],
    { env: toolEnvironment({ TMPDIR: temporary }), showOutput: progress.interactive },
  )
  if (code !== 0) throw new InstallError(pipFailure(wheel, stderr))
  await rename(join(temporary, wheel.file), join(downloads, wheel.file))
  await rm(temporary, { recursive: true, force: true })
}

function pipFailure({ file }: Wheel, stderr: string): string {
  if (/No module named pip/.test(stderr)) return 'python3 has no pip (Debian and Ubuntu: apt-get install python3-pip)'
  if (/DO NOT MATCH THE HASHES/.test(stderr)) return `hash mismatch: pip got another ${file} than the pinned one`
  if (/No space left on device/.test(stderr)) return `no space left on the device while downloading ${file}`
  return `pip could not download ${file}:\n${lastLines(stderr)}`
}

/** `<name>-<version>-<python>-<abi>-<platform>[.<platform>].whl` */
export function parseWheelName(file: string): { requirement: string; platforms: string[] } {
  const [name, version, , , platforms] = file.replace(/\.whl$/, '').split('-')
  if (!name || !version || !platforms) throw new InstallError(`${file} is not the name of a wheel`)
  return { requirement: `${name.replaceAll('_', '-')}==${version}`, platforms: platforms.split('.') }
}

/** Headers that the addon includes, and what they include. The wheel holds 13,000 more. */
const HEADERS =
  /^tensorflow\/include\/((?:tensorflow\/c|tensorflow\/core\/platform|tsl\/c|tsl\/platform|xla\/tsl\/c)\/.*\.h)$/
const LIBRARIES = /^tensorflow\/(libtensorflow_(?:cc|framework)\.so\.[0-9]+)$/
/** NVIDIA's shared libraries, and what compiles PTX; not their headers and static libraries. */
const NVIDIA = /^(nvidia\/\w+\/(?:lib\/[^/]+\.so[^/]*|bin\/ptxas|nvvm\/libdevice\/[^/]+))$/

/** The place of a wheel's entry under deps/, if it is needed. libtensorflow looks for `../nvidia/<part>/lib`. */
export function placeOf(entry: string): string | undefined {
  const header = HEADERS.exec(entry)?.[1]
  if (header) return join('include', header)
  const library = LIBRARIES.exec(entry)?.[1]
  if (library) return join('lib', library)
  return NVIDIA.exec(entry)?.[1]
}

/** Unpacks the needed parts of a wheel into `deps`. */
export async function unpackWheel(path: string, deps: string, progress: Progress): Promise<void> {
  const zip = await openPromise(path, { autoClose: false, lazyEntries: true })
  try {
    const entries: { entry: Entry; target: string }[] = []
    for await (const entry of zip.eachEntry()) {
      const place = placeOf(entry.fileName)
      if (place) entries.push({ entry, target: join(deps, place) })
    }
    const bar = progress.bytes(
      'unpacking',
      entries.reduce((sum, { entry }) => sum + entry.uncompressedSize, 0),
    )
    for (const { entry, target } of entries) {
      await mkdir(dirname(target), { recursive: true })
      await pipeline(await zip.openReadStreamPromise(entry), counted(bar.add), createWriteStream(target))
      if (target.endsWith('/bin/ptxas')) await chmod(target, 0o755)
    }
    bar.end()
  } finally {
    zip.close()
  }
}

import { realpath, stat } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import { ADDON, ADDON_VERSION, packagesSha256 } from './addon.ts'
import { exists, sha256 } from './files.ts'
import { InstallError } from './install-error.ts'
import { copyFolder } from './layout.ts'
import type { Progress } from './progress.ts'
import type { Request } from './record.ts'
import { unpackTarball } from './tarball.ts'
import { obtainWheel, unpackWheel } from './wheel.ts'
import { findWheels, TENSORFLOW_VERSION, type WHEELS } from './wheels.ts'

export interface SourceOptions {
  from: Request['from']
  /** The tarball or the folder; for wheels, a folder of them that is used instead of the network. */
  path: string | undefined
  gpu: boolean
  progress: Progress
  /** Tests put their own here. */
  wheels?: typeof WHEELS
}

/** Where libtensorflow comes from. */
export interface Source {
  request: Request
  description: string
  /** GiB of free space that the install needs, with the npm packages and the build. */
  space: number
  /** Puts lib/ and include/ into `deps`. */
  unpack(deps: string, downloads: string): Promise<void>
}

/** GiB for downloads and what is unpacked of them. */
const WHEEL_SPACE = { cpu: 2.5, gpu: 10 }
/** GiB for a CUDA build, since a tarball or a folder does not tell its size beforehand. */
const UNKNOWN_SPACE = 3

/** Throws an InstallError if the source is missing or cannot be installed here. */
export async function openSource(options: SourceOptions): Promise<Source> {
  const { from, path } = options
  if (from === 'wheel') return wheelSource(options)
  if (path === undefined) throw new InstallError(`--from ${from} needs --path`)
  if (!(await exists(path))) throw new InstallError(`${path} does not exist`)
  return from === 'tarball' ? await tarballSource(resolve(path), options) : await folderSource(resolve(path), options)
}

function wheelSource({ path, gpu, progress, wheels }: SourceOptions): Source {
  const sources = findWheels(gpu, process.arch, wheels)
  return {
    request: request('wheel', gpu, sources),
    description: `the Python wheel of TensorFlow ${TENSORFLOW_VERSION}`,
    space: WHEEL_SPACE[gpu ? 'gpu' : 'cpu'],
    async unpack(deps, downloads) {
      for (const [file, sha256] of Object.entries(sources)) {
        await unpackWheel(await obtainWheel({ file, sha256 }, downloads, path, progress), deps, progress)
      }
    },
  }
}

async function tarballSource(path: string, { gpu, progress }: SourceOptions): Promise<Source> {
  if (!(await stat(path)).isFile()) throw new InstallError(`${path} is not a file`)
  return {
    request: request('tarball', gpu, { [basename(path)]: await sha256(path, progress) }),
    description: path,
    space: UNKNOWN_SPACE,
    unpack: (deps) => unpackTarball(path, deps, progress),
  }
}

async function folderSource(path: string, { gpu, progress }: SourceOptions): Promise<Source> {
  const framework = join(path, 'lib', 'libtensorflow_framework.so.2')
  if (!(await exists(framework))) throw new InstallError(`${path} has no lib/libtensorflow_framework.so.2`)
  return {
    request: request('dir', gpu, { [await realpath(framework)]: await sha256(framework, progress) }),
    description: path,
    space: UNKNOWN_SPACE,
    unpack: (deps) => copyFolder(path, deps),
  }
}

function request(from: Request['from'], gpu: boolean, sources: Record<string, string>): Request {
  const platform = `${process.platform}-${process.arch}`
  return { from, gpu, sources, addon: `${ADDON}@${ADDON_VERSION}`, packages: packagesSha256(), platform }
}

import { rm, writeFile } from 'node:fs/promises'
import { join, sep } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { ADDON, ADDON_VERSION, buildAddon, installPackage, packageFolder, requireBuildTools } from './addon.ts'
import { exists, requireFolder, requireSpace, sha256OfTree } from './files.ts'
import { withFolderLock } from './folder-lock.ts'
import { InstallError } from './install-error.ts'
import { completeLayout, isCudaBuild } from './layout.ts'
import { requirePlatform } from './platform.ts'
import type { Progress } from './progress.ts'
import { type InstallRecord, RECORD_FILE, type Request, readRecord } from './record.ts'
import { openSource, type Source, type SourceOptions } from './source.ts'
import { verifyAddon } from './verify.ts'
import { Work, workFolder } from './work.ts'

export interface InstallOptions extends SourceOptions {
  /** Where to: TENSORFLOW_DIR. */
  folder: string
  /** Reinstalls, whatever is there. */
  force: boolean
}

/**
 * Installs libtensorflow and the addon built against it into `folder`, and tests them. A matching install is only
 * checked and tested again. Rejects with an InstallError whose message is for the user.
 */
export async function installTensorflow(options: InstallOptions): Promise<InstallRecord> {
  const { folder, force, progress } = options
  requirePlatform()
  const source = await openSource(options)
  if (!force) {
    const installed = await reuse(folder, source.request, progress)
    if (installed) return installed
  }
  await requireBuildTools()
  await requireFolder(folder)
  return await withFolderLock(folder, () => install(source, options))
}

async function install(source: Source, options: InstallOptions): Promise<InstallRecord> {
  const { folder, progress } = options
  const work = await Work.open(folder, source.request)
  await requireSpace(folder, work.isDone('library') ? 0 : source.space)

  const deps = join(packageFolder(work.tree), 'deps')
  await work.step('package', async () => {
    progress.step(`installing ${ADDON}@${ADDON_VERSION} from the npm registry`)
    await installPackage(work.tree)
  })
  await work.step('library', async () => {
    progress.step(`taking libtensorflow from ${source.description}`)
    await rm(deps, { recursive: true, force: true })
    await source.unpack(deps, work.downloads)
    await completeLayout(deps)
    if (options.gpu && !(await isCudaBuild(deps))) {
      throw new InstallError(`${source.description} is built without CUDA, and --gpu was asked for`)
    }
  })
  await work.step('addon', async () => {
    progress.step('building the addon')
    await buildAddon(work.tree)
  })
  await work.step('verify', async () => {
    progress.step('running one convolution')
    const record = await tryOut(work.tree, source.request, progress)
    await writeFile(join(work.tree, RECORD_FILE), `${JSON.stringify(record, null, 2)}\n`)
  })
  await work.moveIntoPlace()
  const record = await readRecord(folder)
  if (record === undefined) throw new Error(`${folder} has no ${RECORD_FILE} after the install`)
  return record
}

/** The existing install, if it matches the request and works. */
async function reuse(folder: string, request: Request, progress: Progress): Promise<InstallRecord | undefined> {
  const record = await readRecord(folder)
  if (record === undefined || !isDeepStrictEqual(record.request, request)) return undefined
  progress.step(`${folder} has it already: checking its files and running one convolution`)
  try {
    if ((await sha256OfInstall(folder, progress)) !== record.files) throw new InstallError('its files have changed')
    await verifyAddon(packageFolder(folder))
  } catch (error) {
    if (!(error instanceof InstallError)) throw error
    progress.step(`${error.message}; installing again`)
    return undefined
  }
  // Written to only where there is something to delete: the folder may be read-only.
  const leftovers = workFolder(folder)
  if (await exists(leftovers)) await withFolderLock(folder, () => rm(leftovers, { recursive: true, force: true }))
  return record
}

/** Of libraries, addon and npm packages. The headers are for the build alone, and may be gone. */
function sha256OfInstall(root: string, progress: Progress): Promise<string> {
  const headers = join(ADDON, 'deps', 'include', sep)
  return sha256OfTree(join(root, 'node_modules'), (path) => !path.startsWith(headers), progress)
}

async function tryOut(root: string, request: Request, progress: Progress): Promise<InstallRecord> {
  const folder = packageFolder(root)
  const { tensorflow, devices } = await verifyAddon(folder)
  return {
    request,
    tensorflow,
    cuda: await isCudaBuild(join(folder, 'deps')),
    devices,
    files: await sha256OfInstall(root, progress),
    node: process.version,
    installed_at: new Date().toISOString(),
  }
}

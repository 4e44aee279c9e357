import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { copyFile, mkdir, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { toolEnvironment } from '../../server/config.ts'
import { lastLines, runCommand } from '../run-command.ts'
import { exists } from './files.ts'
import { InstallError } from './install-error.ts'

export const ADDON = '@tensorflow/tfjs-node-gpu'
export const ADDON_VERSION = '4.22.0'

/**
 * The package.json and package-lock.json that pin the addon with all its packages. The overrides are there because the last
 * release depends on versions with known advisories.
 */
const PINNED = fileURLToPath(new URL('./addon-package/', import.meta.url))

/** sha256 of the package-lock.json, which has the hash of every package. */
export function packagesSha256(): string {
  return createHash('sha256')
    .update(readFileSync(join(PINNED, 'package-lock.json')))
    .digest('hex')
}

export function packageFolder(root: string): string {
  return join(root, 'node_modules', ADDON)
}

/** Checks for the build tools, before anything is downloaded. */
export async function requireBuildTools(): Promise<void> {
  await requireTool(toolEnvironment().CXX?.split(' ')[0] || 'g++', 'a C++ compiler', 'g++')
  await requireTool('make', 'make', 'make')
  await requireTool('python3', 'Python 3 (node-gyp and pip run on it)', 'python3')
  await requireTool('npm', 'npm', 'npm')
}

async function requireTool(command: string, description: string, debianPackage: string): Promise<void> {
  const { code } = await runCommand('sh', ['-c', 'command -v $1', 'sh', command], { env: toolEnvironment() })
  if (code === 0) return
  throw new InstallError(`${description} is needed (Debian and Ubuntu: apt-get install ${debianPackage})`)
}

/** Installs the pinned npm packages into `root`, without the addon's install script, which would replace deps/. */
export async function installPackage(root: string): Promise<void> {
  await rm(root, { recursive: true, force: true })
  await mkdir(root, { recursive: true })
  for (const file of ['package.json', 'package-lock.json']) await copyFile(join(PINNED, file), join(root, file))
  await npm(root, ['ci', '--prefix', root, '--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund'])
}

/**
 * Compiles the addon against deps/. Node's headers come from the running Node's folder, or else node-gyp downloads
 * them. The package's own script runs under npm, which brings node-gyp.
 */
export async function buildAddon(root: string): Promise<void> {
  const folder = packageFolder(root)
  const prefix = dirname(dirname(process.execPath))
  const hasHeaders = await exists(join(prefix, 'include', 'node', 'node_api.h'))
  await npm(folder, ['run', 'build-addon-from-source', '--', ...(hasHeaders ? [`--nodedir=${prefix}`] : [])])
  await rm(join(folder, 'build'), { recursive: true, force: true })
}

async function npm(cwd: string, args: string[]): Promise<void> {
  const { code, stdout, stderr } = await runCommand('npm', args, { cwd, env: toolEnvironment() })
  if (code !== 0) throw new InstallError(`npm ${args.slice(0, 2).join(' ')} failed:\n${lastLines(stdout + stderr, 20)}`)
}

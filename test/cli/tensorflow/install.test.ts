import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { create } from 'tar'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { ADDON_VERSION } from '../../../src/cli/tensorflow/addon.ts'
import { requireSpace } from '../../../src/cli/tensorflow/files.ts'
import { type InstallOptions, installTensorflow } from '../../../src/cli/tensorflow/install.ts'
import type { Progress } from '../../../src/cli/tensorflow/progress.ts'
import { temporaryFolder } from '../../helpers/temporary-folder.ts'
import { fakeTools, library, libraryFolder, WHEEL, wheelEntries, writeWheel } from './fake-tools.ts'

// The probes as they ship: from source, each would start tsx.
vi.mock('../../../src/cli/child-module.ts', async () => {
  const { fileURLToPath } = await import('node:url')
  const { builtPath } = await import('../../helpers/built.ts')
  return { childModule: (source: URL) => [builtPath(fileURLToPath(source).split('/src/')[1] ?? '')] }
})

afterEach(() => vi.unstubAllEnvs())

const ADDON = 'node_modules/@tensorflow/tfjs-node-gpu'
const silent: Progress = { interactive: false, step() {}, bytes: () => ({ add() {}, end() {} }) }

async function setUp() {
  const tools = await fakeTools()
  const folder = join(temporaryFolder(), 'tensorflow')
  const install = (options: Partial<InstallOptions> = {}) =>
    installTensorflow({
      folder,
      from: 'wheel',
      path: undefined,
      gpu: false,
      force: false,
      progress: silent,
      wheels: tools.wheels,
      ...options,
    })
  return { tools, folder, install }
}

function filesUnder(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort()
}

describe('installTensorflow', () => {
  it('lays out what the build needs from the wheel that pip fetched, builds, runs and records it', async () => {
    const { tools, folder, install } = await setUp()
    const record = await install()
    expect(tools.calls()).toEqual(['npm ci', 'python3 -m', 'npm run'])
    expect(filesUnder(join(folder, ADDON, 'deps'))).toEqual([
      'include/tensorflow/c/c_api.h',
      'include/tensorflow/c/eager/c_api.h',
      'include/tensorflow/core/platform/ctstring_internal.h',
      'lib/libtensorflow.so',
      'lib/libtensorflow_cc.so.2',
      'lib/libtensorflow_framework.so',
      'lib/libtensorflow_framework.so.2',
    ])
    expect(readlinkSync(join(folder, ADDON, 'deps/lib/libtensorflow.so'))).toBe('libtensorflow_cc.so.2')
    expect(record).toMatchObject({ tensorflow: '9.9.9', cuda: false, devices: ['CPU'], node: process.version })
    expect(Object.keys(record.request.sources)).toEqual([WHEEL])
    expect(JSON.parse(readFileSync(join(folder, 'install.json'), 'utf8'))).toEqual(record)
    expect(readdirSync(folder).sort()).toEqual(['install.json', 'node_modules', 'package-lock.json', 'package.json'])
  })

  it('gives npm a lock with the hash of every package, and no address of any', async () => {
    const { folder, install } = await setUp()
    await install()
    const read = (file: string) => JSON.parse(readFileSync(join(folder, file), 'utf8'))
    expect(read('package.json').dependencies).toEqual({ '@tensorflow/tfjs-node-gpu': ADDON_VERSION })
    const { '': _, ...packages } = read('package-lock.json').packages as Record<string, Record<string, string>>
    expect(packages[ADDON]?.version).toBe(ADDON_VERSION)
    const wrong = Object.values(packages).filter(
      ({ integrity, resolved }) => !integrity?.startsWith('sha512-') || resolved !== undefined,
    )
    expect(wrong).toEqual([])
  })

  it('pins versions of tar and adm-zip without known advisories, here and wherever a package brings its own', async () => {
    const { folder, install } = await setUp()
    await install()
    const { packages } = JSON.parse(readFileSync(join(folder, 'package-lock.json'), 'utf8')) as {
      packages: Record<string, { version: string }>
    }
    const versions = (name: string) =>
      Object.keys(packages).flatMap((path) => (path.endsWith(`node_modules/${name}`) ? [packages[path]?.version] : []))
    expect(versions('tar')).toEqual([expect.stringMatching(/^7\.5\.(19|[2-9]\d)$/)])
    expect(versions('adm-zip')).toEqual([expect.stringMatching(/^0\.6\./)])
  })

  it('lets one of two at once into the same folder do its work, and tells the other who it is in one line', async () => {
    const { tools, folder, install } = await setUp()
    const results = await Promise.allSettled([install(), install()])
    expect(results.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
    const failed = results.find((result) => result.status === 'rejected')
    const message = String(failed?.reason.message)
    expect(message).toContain(`another install is at work in ${folder}: process ${process.pid} on `)
    expect(message).not.toContain('\n')
    expect(tools.calls()).toEqual(['npm ci', 'python3 -m', 'npm run'])
    expect(readdirSync(folder).sort()).toEqual(['install.json', 'node_modules', 'package-lock.json', 'package.json'])
  })

  it('takes over the lock of a process that was killed, once it has not been renewed for ten seconds', async () => {
    const { folder, install } = await setUp()
    mkdirSync(join(folder, '.lock'), { recursive: true })
    writeFileSync(join(folder, '.lock-holder'), 'process 4 on elsewhere, since yesterday\nand more')
    const now = Date.now() / 1000
    await expect(install()).rejects.toThrow(/: process 4 on elsewhere, since yesterday \(if it was killed/)
    utimesSync(join(folder, '.lock'), now - 11, now - 11)
    await install()
    expect(readdirSync(folder)).not.toContain('.lock-holder')
  })

  it.each([
    ['a changed library', `${ADDON}/deps/lib/libtensorflow_cc.so.2`],
    ['a changed script', `${ADDON}/index.js`],
    ['a file that nobody installed', `${ADDON}/node_modules/long/index.js`],
  ])('does not reuse an install with %s', async (_, file) => {
    const { folder, install } = await setUp()
    await install()
    mkdirSync(join(folder, file, '..'), { recursive: true })
    appendFileSync(join(folder, file), '\n')
    const steps: string[] = []
    await install({ progress: { ...silent, step: (text) => steps.push(text) } })
    expect(steps).toContain('its files have changed; installing again')
  })

  it('reuses an install whose headers were deleted, which nothing needs after the build', async () => {
    const { tools, folder, install } = await setUp()
    await install()
    tools.calls()
    rmSync(join(folder, ADDON, 'deps/include'), { recursive: true })
    await install()
    expect(tools.calls()).toEqual([])
  })

  it('recognises an install that works and only runs it', async () => {
    const { tools, install } = await setUp()
    const first = await install()
    tools.calls()
    expect(await install()).toEqual(first)
    expect(tools.calls()).toEqual([])
  })

  it('installs again what has broken since, and what --force asks for', async () => {
    const { tools, folder, install } = await setUp()
    await install()
    rmSync(join(folder, ADDON, 'addon.node'))
    tools.calls()
    await install()
    expect(tools.calls()).toContain('npm run')
    expect(existsSync(join(folder, ADDON, 'addon.node'))).toBe(true)
    await install({ force: true })
    expect(tools.calls()).toContain('npm run')
  })

  it('goes on after the last step that was done, without downloading again', async () => {
    const { tools, folder, install } = await setUp()
    tools.set('broken-compiler')
    await expect(install()).rejects.toThrow(/npm run build-addon-from-source failed:\nfatal error: no/)
    expect(existsSync(join(folder, 'install.json'))).toBe(false)
    tools.calls()
    rmSync(join(tools.bin, 'broken-compiler'))
    await install()
    expect(tools.calls()).toEqual(['npm run'])
  })

  it('uses a wheel that was downloaded before the attempt was cut off, unless it is damaged', async () => {
    const { tools, folder, install } = await setUp()
    const downloads = join(folder, '.work/downloads')
    tools.set('no-space')
    await expect(install()).rejects.toThrow(/no space left on the device/)
    rmSync(join(tools.bin, 'no-space'))
    writeFileSync(join(downloads, WHEEL), 'half of it')
    tools.calls()
    await install()
    expect(tools.calls()).toEqual(['python3 -m', 'npm run'])
  })

  it('leaves a working install as it is until the new one has proved itself', async () => {
    const { tools, folder, install } = await setUp()
    const first = await install()
    tools.set('broken-compiler')
    await expect(install({ from: 'dir', path: libraryFolder() })).rejects.toThrow(/failed/)
    rmSync(join(tools.bin, 'broken-compiler'))
    tools.calls()
    expect(await install()).toEqual(first)
    expect(tools.calls()).toEqual([])
    expect(existsSync(join(folder, '.work'))).toBe(false)
  })

  it('finishes an install that was cut off while it was moved into place', async () => {
    const { tools, folder, install } = await setUp()
    const record = await install()
    // As if killed after the packages had been moved and before the record was.
    const tree = join(folder, '.work/tree')
    mkdirSync(tree, { recursive: true })
    renameSync(join(folder, 'install.json'), join(tree, 'install.json'))
    const done = ['package', 'library', 'addon', 'verify']
    writeFileSync(join(folder, '.work/plan.json'), JSON.stringify({ request: record.request, done }))
    tools.calls()
    expect(await install()).toEqual(record)
    expect(tools.calls()).toEqual([])
  })

  it('refuses a wheel with another hash, from pip and from a folder', async () => {
    const { tools, install } = await setUp()
    await writeWheel(join(tools.bin, WHEEL), { ...wheelEntries(), 'tensorflow/libtensorflow_cc.so.2': 'evil' })
    await expect(install()).rejects.toThrow(/hash mismatch/)
    await expect(install({ path: tools.bin })).rejects.toThrow(/hash mismatch.*expected [0-9a-f]{64}/)
  })

  it('takes the wheel from a folder, without pip', async () => {
    const { tools, install } = await setUp()
    await install({ path: tools.bin })
    expect(tools.calls()).toEqual(['npm ci', 'npm run'])
    await expect(install({ path: '/nowhere', force: true })).rejects.toThrow(`${WHEEL} is not at /nowhere`)
  })

  it('takes the library from a folder, links kept', async () => {
    const { tools, folder, install } = await setUp()
    const record = await install({ from: 'dir', path: libraryFolder() })
    expect(tools.calls()).toEqual(['npm ci', 'npm run'])
    expect(record.request.from).toBe('dir')
    const lib = join(folder, ADDON, 'deps/lib')
    expect(readlinkSync(join(lib, 'libtensorflow.so'))).toBe('libtensorflow.so.2')
    expect(readlinkSync(join(lib, 'libtensorflow.so.2'))).toBe('libtensorflow.so.2.18.0')
  })

  it('takes the library from a tarball', async () => {
    const { folder, install } = await setUp()
    const path = join(temporaryFolder(), 'libtensorflow.tar.gz')
    await create({ file: path, gzip: true, cwd: libraryFolder() }, ['lib', 'include'])
    const record = await install({ from: 'tarball', path })
    expect(record.request.from).toBe('tarball')
    expect(existsSync(join(folder, ADDON, 'deps/lib/libtensorflow_framework.so'))).toBe(true)
    writeFileSync(path, 'not a tarball')
    await expect(install({ from: 'tarball', path })).rejects.toThrow(/cannot be unpacked/)
  })

  it('knows a CUDA build, and refuses another where --gpu is asked for', async () => {
    const { install } = await setUp()
    const cuda = libraryFolder(library(undefined, 'dlopen libcuda.so.1'))
    expect((await install({ from: 'dir', path: cuda, gpu: true })).cuda).toBe(true)
    await expect(install({ from: 'dir', path: libraryFolder(), gpu: true })).rejects.toThrow(/built without CUDA/)
  })

  it.each([
    ['g++', /a C\+\+ compiler is needed.*apt-get install g\+\+/],
    ['make', /make is needed/],
    ['python3', /Python 3/],
    ['npm', /npm is needed/],
  ])('says that %s is missing, before anything is fetched', async (tool, message) => {
    const { tools, folder, install } = await setUp()
    rmSync(join(tools.bin, tool))
    await expect(install()).rejects.toThrow(message)
    expect(tools.calls()).toEqual([])
    expect(existsSync(folder)).toBe(false)
  })

  it('says that pip is missing', async () => {
    const { tools, install } = await setUp()
    tools.set('no-pip')
    await expect(install()).rejects.toThrow(/python3 has no pip/)
  })

  it.each<[string, Partial<InstallOptions>, RegExp]>([
    ['a GPU build that there is none of', { gpu: true }, /for GPU has no wheel for/],
    ['a folder that is not named', { from: 'dir' }, /--from dir needs --path/],
    ['a tarball that does not exist', { from: 'tarball', path: '/nowhere.tar.gz' }, /does not exist/],
    ['a tarball that is a folder', { from: 'tarball', path: '/' }, /^\/ is not a file$/],
    ['a folder without the library', { from: 'dir', path: '/' }, /has no lib\/libtensorflow_framework/],
  ])('refuses %s', async (_name, options, message) => {
    const { install } = await setUp()
    await expect(install(options)).rejects.toThrow(message)
  })

  it('refuses a library for another processor, what is no library, and a source without headers', async () => {
    const { install } = await setUp()
    const foreign = process.arch === 'arm64' ? 62 : 183
    await expect(install({ from: 'dir', path: libraryFolder(library(foreign)) })).rejects.toThrow(
      /is built for .*, this is/,
    )
    await expect(install({ from: 'dir', path: libraryFolder(Buffer.from('text')) })).rejects.toThrow(
      /not a Linux library/,
    )
    const bare = libraryFolder()
    rmSync(join(bare, 'include/tensorflow/c/eager'), { recursive: true })
    await expect(install({ from: 'dir', path: bare })).rejects.toThrow(/no include\/tensorflow\/c\/eager\/c_api\.h/)
  })

  it('says that TENSORFLOW_DIR cannot be written to, before anything is fetched', async () => {
    const { tools, install } = await setUp()
    const file = join(temporaryFolder({ file: '' }), 'file')
    await expect(install({ folder: join(file, 'below') })).rejects.toThrow(
      `${join(file, 'below')} cannot be written to (ENOTDIR); TENSORFLOW_DIR can name a folder elsewhere`,
    )
    expect(tools.calls()).toEqual([])
  })

  it('refuses a file system without room', async () => {
    await expect(requireSpace(temporaryFolder(), Number.MAX_SAFE_INTEGER)).rejects.toThrow(
      /GiB free and the install needs/,
    )
  })

  it('tells how an addon that crashes ended', async () => {
    const { install } = await setUp()
    await install()
    vi.stubEnv('TF_FAKE_CRASH', '1')
    const steps: string[] = []
    const again = install({ progress: { ...silent, step: (text) => steps.push(text) } })
    await expect(again).rejects.toThrow(/crashed with SIGSEGV/)
    expect(steps.join('\n')).toMatch(/crashed with SIGSEGV.*installing again/s)
  })
})

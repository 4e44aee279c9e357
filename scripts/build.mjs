// Compiles src/ to dist/, and builds web/, the playground, into dist/web. With --if-stale it compiles only if a source is newer than the last build, and not at all where
// there are no sources (a container ships dist/ alone) or no compiler, so that `npm start` works everywhere.
//
// A complete build replaces dist/ in one step. One that fails or is cut off leaves it as it was, and two at the same time do
// not mix.
import { spawnSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const pinned = join(root, 'src', 'cli', 'tensorflow', 'addon-package')
const dist = join(root, 'dist')
const web = join(root, 'web')
const ifStale = process.argv.includes('--if-stale')
/** What a build that was cut off left behind is removed after this long (ms); until then it may still be running. */
const LEFT_BEHIND_MS = 3_600_000

function isFresh() {
  const stamp = statSync(join(dist, '.built'), { throwIfNoEntry: false })
  return stamp !== undefined && stamp.mtimeMs >= newestSource()
}

function newestSource() {
  return Math.max(newestOf('tsconfig.json', 'tsconfig.build.json', 'src'), newestOf('web'))
}

/** When the newest of these files, of those in these folders, or of the packages was written. */
function newestOf(...names) {
  const paths = ['package-lock.json', ...names].map((name) => join(root, name)).filter((path) => existsSync(path))
  const files = paths.flatMap((path) =>
    statSync(path).isDirectory() ? readdirSync(path, { recursive: true }).map((entry) => join(path, entry)) : path,
  )
  return Math.max(...files.map((file) => statSync(file).mtimeMs))
}

/** The path of a compiler that runs: its own binary is an optional package, which may be missing or be another machine's. */
function findCompiler() {
  try {
    const typescript = createRequire(join(root, 'package.json')).resolve('typescript/package.json')
    const tsc = join(dirname(typescript), 'bin', 'tsc')
    return spawnSync(process.execPath, [tsc, '--version']).status === 0 ? tsc : undefined
  } catch {
    return undefined
  }
}

/**
 * Builds web/ into the folder, or takes what an earlier build made of the same sources. Returns whether it succeeded: the
 * server serves without its page.
 */
async function buildWeb(folder) {
  const earlier = join(dist, 'web')
  const page = statSync(join(earlier, 'index.html'), { throwIfNoEntry: false })
  if (ifStale && page !== undefined && page.mtimeMs >= newestOf('web')) {
    cpSync(earlier, folder, { recursive: true, preserveTimestamps: true })
    return true
  }
  try {
    const vite = createRequire(join(root, 'package.json')).resolve('vite')
    const { build: bundle } = await import(pathToFileURL(vite).href)
    await bundle({ configFile: join(web, 'vite.config.js'), build: { outDir: folder } })
    return true
  } catch (error) {
    console.error(`build: the playground cannot be built: ${error.message}`)
    return false
  }
}

/** Another build may put its own dist/ in place between the two renames: then that one is moved away in its turn. */
function moveIntoPlace(built) {
  const old = `${built}-old`
  for (;;) {
    rmSync(old, { recursive: true, force: true })
    try {
      if (existsSync(dist)) renameSync(dist, old)
      renameSync(built, dist)
      return rmSync(old, { recursive: true, force: true })
    } catch (error) {
      if (!['ENOENT', 'ENOTEMPTY', 'EEXIST', 'EPERM'].includes(error.code) || !existsSync(built)) throw error
    }
  }
}

function removeLeftBehind() {
  for (const name of readdirSync(root).filter((each) => each.startsWith('.dist-'))) {
    const age = Date.now() - (statSync(join(root, name), { throwIfNoEntry: false })?.mtimeMs ?? Date.now())
    if (age > LEFT_BEHIND_MS) rmSync(join(root, name), { recursive: true, force: true })
  }
}

async function build(tsc) {
  removeLeftBehind()
  const startedAt = new Date()
  // Beside dist/, so that it can be renamed and the paths in source maps hold.
  const built = join(root, `.dist-${randomUUID()}`)
  mkdirSync(built)
  const compile = (project) =>
    spawnSync(process.execPath, [tsc, '-p', join(root, project), '--outDir', built], { stdio: 'inherit' }).status
  // The client's types are for others, and are checked without those of Node.
  const compiled = compile('tsconfig.build.json') || compile('src/client/tsconfig.json')
  const status = existsSync(web) && !(await buildWeb(join(built, 'web'))) ? compiled || 2 : compiled
  if (status === 0) {
    // As old as the sources that were read.
    writeFileSync(join(built, '.built'), '')
    utimesSync(join(built, '.built'), startedAt, startedAt)
  }
  // What has a wrong type (2) is emitted all the same, whole, and so is what has no playground; without the stamp, the next build tries again.
  const complete = (status === 0 || status === 2) && existsSync(join(built, 'server', 'main.js'))
  // npm makes it so once, when it links the command; a later build must not undo that.
  if (complete && existsSync(join(built, 'cli', 'main.js'))) chmodSync(join(built, 'cli', 'main.js'), 0o755)
  // What the compiler leaves out: the packages that `install-tensorflow` pins.
  if (complete && existsSync(pinned))
    cpSync(pinned, join(built, relative(join(root, 'src'), pinned)), { recursive: true })
  // Another build may have been faster; what runs from its dist/ is best left alone.
  if (complete && !(ifStale && isFresh())) moveIntoPlace(built)
  rmSync(built, { recursive: true, force: true })
  return complete ? status : status || 1
}

if (ifStale && (!existsSync(join(root, 'src')) || isFresh())) process.exit(0)
const tsc = findCompiler()
if (tsc !== undefined) process.exit(await build(tsc))

const missing = 'the TypeScript compiler is not installed (`npm ci --include=dev --include=optional` brings it)'
if (ifStale && existsSync(join(dist, 'server', 'main.js'))) {
  console.error(`build: src/ is newer than dist/, but ${missing}: dist/ is used as it is`)
  process.exit(0)
}
console.error(`build: dist/ cannot be built: ${missing}`)
process.exit(1)

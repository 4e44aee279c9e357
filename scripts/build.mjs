// Compiles src/ to dist/. With --if-stale it compiles only if a source is newer than the last build, and not at all where
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
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const pinned = join(root, 'src', 'cli', 'tensorflow', 'addon-package')
const dist = join(root, 'dist')
const ifStale = process.argv.includes('--if-stale')
/** What a build that was cut off left behind is removed after this long (ms); until then it may still be running. */
const LEFT_BEHIND_MS = 3_600_000

function isFresh() {
  const stamp = statSync(join(dist, '.built'), { throwIfNoEntry: false })
  return stamp !== undefined && stamp.mtimeMs >= newestSource()
}

function newestSource() {
  const files = ['package-lock.json', 'tsconfig.json', 'tsconfig.build.json'].map((name) => join(root, name))
  for (const entry of readdirSync(join(root, 'src'), { recursive: true })) files.push(join(root, 'src', entry))
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

function build(tsc) {
  removeLeftBehind()
  const startedAt = new Date()
  // Beside dist/, so that it can be renamed and the paths in source maps hold.
  const built = join(root, `.dist-${randomUUID()}`)
  mkdirSync(built)
  const compile = (project) =>
    spawnSync(process.execPath, [tsc, '-p', join(root, project), '--outDir', built], { stdio: 'inherit' }).status
  // The client's types are for others, and are checked without those of Node.
  const status = compile('tsconfig.build.json') || compile('src/client/tsconfig.json')
  if (status === 0) {
    // As old as the sources that were read.
    writeFileSync(join(built, '.built'), '')
    utimesSync(join(built, '.built'), startedAt, startedAt)
  }
  // What has a wrong type (2) is emitted all the same, whole; without the stamp, the next build tries again.
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
if (tsc !== undefined) process.exit(build(tsc))

const missing = 'the TypeScript compiler is not installed (`npm ci --include=dev --include=optional` brings it)'
if (ifStale && existsSync(join(dist, 'server', 'main.js'))) {
  console.error(`build: src/ is newer than dist/, but ${missing}: dist/ is used as it is`)
  process.exit(0)
}
console.error(`build: dist/ cannot be built: ${missing}`)
process.exit(1)

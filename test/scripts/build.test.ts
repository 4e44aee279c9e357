import { type SpawnSyncReturns, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join, resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import { temporaryFolder } from '../helpers/temporary-folder.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const SCRIPT = readFileSync(join(ROOT, 'scripts/build.mjs'))
const COMPILER_OPTIONS = { rootDir: 'src', outDir: 'dist', module: 'nodenext', target: 'es2023', types: [] }

const DECLARATIONS = { ...COMPILER_OPTIONS, rootDir: '..', declaration: true, emitDeclarationOnly: true }

/** A project of three files as it is cloned, with its packages' folder still to come. */
function project(): string {
  return temporaryFolder({
    'scripts/build.mjs': SCRIPT,
    'package.json': '{"type":"module"}',
    'package-lock.json': '{}',
    'tsconfig.json': '{}',
    'tsconfig.build.json': JSON.stringify({ compilerOptions: COMPILER_OPTIONS, include: ['src'] }),
    'src/server/main.ts': 'export const server: string = "new"\n',
    'src/cli/main.ts': 'export const cli = 1\n',
    'src/client/index.ts': 'export const client = 1\n',
    'src/client/tsconfig.json': JSON.stringify({ compilerOptions: DECLARATIONS, include: ['.'] }),
  })
}

function withCompiler(root: string): string {
  mkdirSync(join(root, 'node_modules'))
  for (const name of ['typescript', '@typescript']) {
    symlinkSync(join(ROOT, 'node_modules', name), join(root, 'node_modules', name))
  }
  return root
}

/** A compiler that says its version and then does this. */
function withFakeCompiler(root: string, body: string): string {
  const text = `if (process.argv.includes('--version')) process.exit(0)
    const { writeFileSync, mkdirSync } = await import('node:fs')
    const out = process.argv[process.argv.indexOf('--outDir') + 1]
    ${body}`
  for (const [path, content] of [
    ['package.json', '{"name":"typescript","type":"module"}'],
    ['bin/tsc', text],
  ] as const) {
    mkdirSync(join(root, 'node_modules/typescript/bin'), { recursive: true })
    writeFileSync(join(root, 'node_modules/typescript', path), content)
  }
  return root
}

/** dist/ of an earlier build, older than the sources. */
function withOldDist(root: string): string {
  mkdirSync(join(root, 'dist/server'), { recursive: true })
  for (const name of ['dist/.built', 'dist/server/main.js']) {
    writeFileSync(join(root, name), name.endsWith('.js') ? 'old' : '')
    utimesSync(join(root, name), 1, 1)
  }
  return root
}

const build = (root: string, ...args: string[]): SpawnSyncReturns<string> =>
  spawnSync(process.execPath, [join(root, 'scripts/build.mjs'), ...args], { encoding: 'utf8' })

const main = (root: string): string => readFileSync(join(root, 'dist/server/main.js'), 'utf8')
const leftBehind = (root: string): string[] => readdirSync(root).filter((name) => name.startsWith('.dist-'))

describe('a build', () => {
  it('replaces dist/ as a whole, and is not repeated while nothing changes', () => {
    const root = withOldDist(withCompiler(project()))
    writeFileSync(join(root, 'dist/gone.js'), '')
    expect(build(root, '--if-stale').status).toBe(0)
    expect(main(root)).toContain('"new"')
    expect(existsSync(join(root, 'dist/gone.js'))).toBe(false)
    // Readable for others: an image is built by one user and run by another.
    expect(statSync(join(root, 'dist')).mode).toBe(statSync(join(root, 'src/server')).mode)
    // `npx resnet-serve` goes on working after a build.
    expect(statSync(join(root, 'dist/cli/main.js')).mode & 0o111).toBe(0o111)
    expect(leftBehind(root)).toEqual([])
    writeFileSync(join(root, 'dist/server/main.js'), 'as it was')
    expect(build(root, '--if-stale').status).toBe(0)
    expect(main(root)).toBe('as it was')
    expect(build(root).status).toBe(0)
    expect(main(root)).toContain('"new"')
  })

  it('has the types of the client, and no others', () => {
    const root = withCompiler(project())
    expect(build(root).status).toBe(0)
    const files = readdirSync(join(root, 'dist'), { recursive: true, encoding: 'utf8' })
    expect(files.filter((name) => name.endsWith('.d.ts'))).toEqual([join('client', 'index.d.ts')])
  })

  it('of what has a wrong type fails, is there all the same, and is tried again', () => {
    const root = withCompiler(project())
    writeFileSync(join(root, 'src/cli/main.ts'), 'export const cli: string = 1\n')
    for (const _attempt of [1, 2]) {
      const { status, stdout } = build(root, '--if-stale')
      expect(status).not.toBe(0)
      expect(stdout).toContain('TS2322')
      expect(main(root)).toContain('"new"')
    }
  })

  it.each([
    ['fails half-way', 'mkdirSync(out + "/server"); writeFileSync(out + "/server/main.js", "half"); process.exit(1)'],
    [
      'is cut off',
      'mkdirSync(out + "/server"); writeFileSync(out + "/server/main.js", "half"); process.kill(process.pid, "SIGKILL")',
    ],
    ['compiles nothing', ''],
  ])('that %s leaves dist/ as it was', (_, body) => {
    const root = withOldDist(withFakeCompiler(project(), body))
    expect(build(root).status).not.toBe(0)
    expect(main(root)).toBe('old')
    expect(leftBehind(root)).toEqual([])
  })

  it('removes what one that was killed left behind, but not what may still be written', () => {
    const root = withCompiler(project())
    for (const name of ['.dist-killed', '.dist-running']) mkdirSync(join(root, name))
    utimesSync(join(root, '.dist-killed'), 1, 1)
    build(root)
    expect(leftBehind(root)).toEqual(['.dist-running'])
  })

  it.each([[[]], [['--if-stale']]])('does not disturb others at the same time (%j)', async (args) => {
    const root = withOldDist(withCompiler(project()))
    const script = join(root, 'scripts/build.mjs')
    const builds = Array.from({ length: 4 }, () => spawn(process.execPath, [script, ...args], { stdio: 'ignore' }))
    const codes = await Promise.all(builds.map((child) => once(child, 'exit').then(([code]) => code)))
    expect(codes).toEqual([0, 0, 0, 0])
    expect(readdirSync(join(root, 'dist')).sort()).toEqual(['.built', 'cli', 'client', 'server'])
    expect(main(root)).toContain('"new"')
    expect(leftBehind(root)).toEqual([])
  })
})

describe('the playground', () => {
  const withWeb = (root: string): string => {
    for (const [name, text] of Object.entries({
      'index.html': '<!doctype html><script type="module" src="./main.js"></script>',
      'main.js': 'console.log(1)',
      'vite.config.js': 'export default { root: import.meta.dirname, logLevel: "error", build: { emptyOutDir: true } }',
    })) {
      mkdirSync(join(root, 'web'), { recursive: true })
      writeFileSync(join(root, 'web', name), text)
    }
    return root
  }
  const withVite = (root: string): string => {
    symlinkSync(join(ROOT, 'node_modules/vite'), join(root, 'node_modules/vite'))
    return root
  }
  const page = (root: string): string => readFileSync(join(root, 'dist/web/index.html'), 'utf8')

  it('is built with the rest, and again only if its own sources have changed', () => {
    const root = withVite(withWeb(withCompiler(project())))
    expect(build(root, '--if-stale').status).toBe(0)
    expect(page(root)).toContain('assets/')

    const later = new Date(Date.now() + 60_000)
    writeFileSync(join(root, 'dist/web/index.html'), 'as it was')
    utimesSync(join(root, 'src/cli/main.ts'), later, later)
    expect(build(root, '--if-stale').status).toBe(0)
    expect(page(root)).toBe('as it was')

    utimesSync(join(root, 'web/main.js'), later, later)
    expect(build(root, '--if-stale').status).toBe(0)
    expect(page(root)).toContain('assets/')
  })

  it('that cannot be built fails the build, and the server is there all the same', () => {
    const root = withWeb(withCompiler(project()))
    const { status, stderr } = build(root)
    expect(status).not.toBe(0)
    expect(stderr).toMatch(/^build: the playground cannot be built: /)
    expect(main(root)).toContain('"new"')
    expect(existsSync(join(root, 'dist/web'))).toBe(false)
  })
})

describe('a build without a compiler', () => {
  const ONE_LINE = /^build: [^\n]*`npm ci --include=dev --include=optional`[^\n]*\n$/

  it.each([[[]], [['--if-stale']]])('says in one line what is missing and what brings it (%j)', (args) => {
    const { status, stderr, stdout } = build(project(), ...args)
    expect(status).toBe(1)
    expect(stderr).toMatch(ONE_LINE)
    expect(stdout).toBe('')
  })

  it('takes a compiler that cannot run for none', () => {
    const root = withFakeCompiler(project(), '')
    writeFileSync(join(root, 'node_modules/typescript/bin/tsc'), 'throw new Error("no binary for this platform")')
    expect(build(root).stderr).toMatch(ONE_LINE)
  })

  it('leaves dist/ alone, and lets it be served where it is older than the sources', () => {
    const root = withOldDist(project())
    expect(build(root).status).toBe(1)
    expect(main(root)).toBe('old')
    const { status, stderr } = build(root, '--if-stale')
    expect(status).toBe(0)
    expect(stderr).toMatch(ONE_LINE)
    expect(main(root)).toBe('old')
  })

  it('needs none where dist/ is all there is, as in a container', () => {
    const root = withOldDist(project())
    rmSync(join(root, 'src'), { recursive: true })
    expect(build(root, '--if-stale')).toMatchObject({ status: 0, stderr: '' })
  })
})

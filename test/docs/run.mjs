// Runs the commands of README.md and docs/*.md, in order, each page in a fresh copy of the checkout and against a server of its
// own. A command that is not run says why (markdown.mjs); one that says neither fails. Then it follows every link.
//
//     npm run test:docs                      all pages
//     npm run test:docs -- docs/api.md       one of them, with what its commands print
import { spawn } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, utimesSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { brokenLinks } from './links.mjs'
import { readMarkdown } from './markdown.mjs'

const root = fileURLToPath(new URL('../..', import.meta.url))
/** Longest that a block may take, and a server may take to become ready (ms). */
const TIMEOUT_MS = 300_000
/** What a page's commands may need of the checkout. */
const CHECKOUT = [
  'README.md dist src web scripts models examples deploy docs package.json package-lock.json tsconfig.json',
  'tsconfig.build.json .npmrc',
].flatMap((line) => line.split(' '))
/** What readers have and a clone has not, by the names that the pages use. Names of checkpoints do not matter to `import`. */
const READERS_FILES = {
  'photos.pth': 'test/fixtures/parity/torchvision-basic/weights.safetensors',
  'labels.txt': 'test/docs/labels.txt',
  'seven.png': 'examples/seven.png',
  'scans/seven.png': 'examples/seven.png',
  'photos/three.jpg': 'examples/three.jpg',
  'pictures/train/seven.png': 'examples/seven.png',
  'pictures/test/three.jpg': 'examples/three.jpg',
}
/** The commands as they are in an installed package; an answer that is an error fails, as an unknown option would. */
const PRELUDE = `set -euo pipefail
resnet-serve() { node dist/cli/main.js "$@"; }
curl() { command curl --silent --show-error --fail-with-body "$@"; }
export -f curl resnet-serve
`

const chosen = process.argv.slice(2)
const counts = { ran: 0, notRun: 0 }
const failures = []
/** Process groups that run; they end with this process, whatever ends it. */
const running = new Set()
process.on('exit', () => {
  for (const pid of running) signalGroup(pid, 'SIGKILL')
})
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(1))

process.chdir(root)
const pages = [
  'README.md',
  ...readdirSync('docs')
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
]
for (const page of chosen.length > 0 ? chosen : pages) await runPage(page)
failures.push(...brokenLinks())

for (const failure of failures) console.log(`failed: ${failure}`)
console.log(`commands: ${counts.ran} ran, ${counts.notRun} not; ${failures.length} failures`)
process.exitCode = failures.length > 0 || counts.ran + counts.notRun === 0 ? 1 : 0

/** @param {string} page */
async function runPage(page) {
  const { blocks } = readMarkdown(page)
  const folder = copyOfCheckout()
  let server
  try {
    for (const { code, notRun, serves, exit } of blocks) {
      const name = `${page}: ${code.split('\n', 1)[0]}`
      if (notRun !== undefined) {
        counts.notRun++
        console.log(`not run  ${name}\n         ${notRun}`)
        continue
      }
      if (serves) {
        await server?.stop()
        server = await serve(code, folder)
      } else {
        if (/:8080|ADMIN_API_KEY/.test(code)) server ??= await serve('node dist/server/main.js', folder)
        const { status, output } = await run(pointAt(server, code), folder, server?.env)
        if (chosen.length > 0 || status !== exit) console.log(output)
        if (status !== exit) {
          failures.push(`${name} ended with ${status}`)
          continue
        }
      }
      counts.ran++
      console.log(`ran      ${name}`)
    }
  } catch (error) {
    failures.push(`${page}: ${error.message}`)
  } finally {
    await server?.stop()
    rmSync(folder, { recursive: true, force: true })
  }
}

function copyOfCheckout() {
  const folder = mkdtempSync(join(tmpdir(), 'docs-'))
  for (const name of CHECKOUT) {
    if (existsSync(name))
      cpSync(name, join(folder, name), { recursive: true, preserveTimestamps: true, filter: isSource })
  }
  for (const [name, source] of Object.entries(READERS_FILES)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true })
    cpSync(source, join(folder, name))
  }
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
  // What is copied looks newer than the build.
  utimesSync(join(folder, 'dist/.built'), new Date(), new Date())
  return folder
}

/** @param {string} path */
function isSource(path) {
  return basename(path) !== 'node_modules'
}

/** The command with the address of the page's server in place of the usual one. */
function pointAt(server, code) {
  return server === undefined ? code : code.replaceAll(/(localhost|127\.0\.0\.1):8080/g, `127.0.0.1:${server.env.PORT}`)
}

/** Starts a server by a command, waits until it is ready, and gives what later commands need to know of it. */
async function serve(command, folder) {
  const env = { PORT: `${await freePort()}`, ADMIN_API_KEY: 'secret-of-the-docs', LOG_LEVEL: 'error' }
  const child = start(command, folder, env)
  const ended = child.ended.then(({ status, output }) => {
    throw new Error(`${command} ended with ${status}: ${output}`)
  })
  ended.catch(() => {})
  const isReady = async () => {
    for (const end = Date.now() + TIMEOUT_MS; Date.now() < end; await sleep(100)) {
      const answer = await fetch(`http://127.0.0.1:${env.PORT}/readyz`).catch(() => undefined)
      if (answer?.ok) return
    }
    throw new Error(`${command} did not become ready`)
  }
  const stop = async () => {
    child.kill('SIGTERM')
    await child.ended
  }
  await Promise.race([isReady(), ended]).catch(async (error) => {
    await stop()
    throw error
  })
  return { env, stop }
}

async function run(command, folder, env) {
  const child = start(command, folder, env)
  const timer = setTimeout(() => child.kill('SIGKILL'), TIMEOUT_MS)
  return child.ended.finally(() => clearTimeout(timer))
}

/** A command in a process group of its own, so that all that it starts ends with it. */
function start(command, folder, env = {}) {
  const child = spawn('bash', ['-c', PRELUDE + command], {
    cwd: folder,
    env: { ...process.env, ...env },
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  running.add(child.pid)
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => (output += text))
  const ended = new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (status, signal) => {
      running.delete(child.pid)
      resolve({ status: status ?? signal, output })
    })
  })
  return { ended, kill: (signal) => signalGroup(child.pid, signal) }
}

function signalGroup(pid, signal) {
  try {
    process.kill(-pid, signal)
  } catch {
    // It has ended.
  }
}

async function freePort() {
  const probe = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => probe.once('listening', resolve))
  const { port } = probe.address()
  await new Promise((resolve) => probe.close(resolve))
  return port
}

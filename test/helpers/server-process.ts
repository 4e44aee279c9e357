import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { onTestFinished } from 'vitest'

const ROOT = resolve(import.meta.dirname, '../..')
const FIXTURE = join(ROOT, 'test/fixtures/parity/resnet18-projection')

/** The model that `temporaryRepository` holds, and the bytes of one input for it. */
export const MODEL_NAME = 'resnet18-projection'
export const ITEM_BYTES = 28 * 28 * 4

/** A model repository with one small ResNet in it, removed when the test ends. */
export function temporaryRepository(): string {
  const repository = mkdtempSync(join(tmpdir(), 'repository-'))
  mkdirSync(join(repository, MODEL_NAME))
  symlinkSync(FIXTURE, join(repository, MODEL_NAME, '1'))
  onTestFinished(() => rmSync(repository, { recursive: true }))
  return repository
}

export interface StartOptions {
  env?: Record<string, string>
  /** Of node, before the server's own file. */
  execArgv?: string[]
  /** In a process group of its own, as a shell or npm starts its children. */
  detached?: boolean
}

/** The real process, run from source, and what became of it. Killed when the test ends. */
export function startServer({ env = {}, execArgv = [], detached = false }: StartOptions = {}) {
  const main = join(ROOT, 'src/server/main.ts')
  const child = spawn(process.execPath, ['--import', 'tsx', ...execArgv, main], {
    cwd: ROOT,
    env: { ...process.env, MODEL_REPOSITORY: env.MODEL_REPOSITORY ?? temporaryRepository(), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached,
  })
  onTestFinished(() => {
    child.kill('SIGKILL')
  })
  const errors: string[] = []
  child.stderr?.on('data', (chunk) => errors.push(String(chunk)))
  const log = followLog(child)
  const exited = new Promise<number | null>((done) => child.once('exit', (code) => done(code)))
  return { child, exited, stderr: () => errors.join(''), ...log }
}

/** The same, on a port of its own and ready. */
export async function startReady(options: StartOptions = {}) {
  const port = await freePort()
  const server = startServer({ ...options, env: { PORT: String(port), ENGINE: 'onnx', ...options.env } })
  await server.logged(/^ready$/)
  return { ...server, url: `http://127.0.0.1:${port}`, port }
}

export const classify = (url: string): Promise<Response> =>
  fetch(`${url}/classify`, {
    method: 'POST',
    headers: { 'content-type': 'application/octet-stream' },
    body: new Uint8Array(ITEM_BYTES),
  })

/** The server process's children, which are all engine processes. */
export async function enginesOf({ pid }: ChildProcess): Promise<number[]> {
  const ps = spawn('ps', ['-o', 'pid=', '--ppid', String(pid)])
  let out = ''
  ps.stdout.on('data', (chunk) => {
    out += chunk
  })
  await new Promise((done) => ps.once('close', done))
  return out.trim().split(/\s+/).map(Number)
}

type LogLine = Record<string, unknown> & { msg: string }

function followLog(child: ChildProcess) {
  const lines: LogLine[] = []
  const waiting: { message: RegExp; resolve: (line: LogLine) => void }[] = []
  if (child.stdout) {
    createInterface({ input: child.stdout }).on('line', (text) => {
      const line = JSON.parse(text) as LogLine
      lines.push(line)
      for (const { message, resolve } of waiting) if (message.test(line.msg)) resolve(line)
    })
  }
  return {
    lines,
    /** Resolves with the next log line whose message matches. */
    logged: (message: RegExp): Promise<LogLine> => new Promise((resolve) => waiting.push({ message, resolve })),
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((done) => server.once('listening', done))
  const { port } = server.address() as { port: number }
  await new Promise((done) => server.close(done))
  return port
}

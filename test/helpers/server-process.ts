import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { onTestFinished } from 'vitest'
import { builtPath } from './built.ts'

const ROOT = resolve(import.meta.dirname, '../..')

/** The model that `temporaryRepository` holds, the bytes of one input for it, and its number of classes. */
export const MODEL_NAME = 'custom-blocks'
export const ITEM_BYTES = 11 * 9 * 4
export const CLASSES = 5

const FIXTURE = join(ROOT, 'test/fixtures/parity', MODEL_NAME)

/** A loaded machine is no reason for this server to refuse anything. */
export const PATIENT = { MAX_EVENT_LOOP_DELAY_MS: '0', REQUEST_TIMEOUT_MS: '300000' }

/** A model repository with one small ResNet in it, removed when the test ends. */
export function temporaryRepository(onEnd: StartOptions['onEnd'] = onTestFinished): string {
  const repository = mkdtempSync(join(tmpdir(), 'repository-'))
  mkdirSync(join(repository, MODEL_NAME))
  symlinkSync(FIXTURE, join(repository, MODEL_NAME, '1'))
  onEnd(() => rmSync(repository, { recursive: true }))
  return repository
}

export interface StartOptions {
  env?: Record<string, string>
  /** Of node, before the server's own file. */
  execArgv?: string[]
  /** In a process group of its own, as a shell or npm starts its children. */
  detached?: boolean
  /** Takes what is to be done when the process is not needed any more; without it, that is when the test ends. */
  onEnd?: (cleanUp: () => void) => void
}

/** The real process with one engine process, and what became of it. */
export function startServer({ env = {}, execArgv = [], detached = false, onEnd = onTestFinished }: StartOptions = {}) {
  const repository = env.MODEL_REPOSITORY ?? temporaryRepository(onEnd)
  const child = spawn(process.execPath, [...execArgv, builtPath('server/main.ts')], {
    cwd: ROOT,
    env: { ...process.env, ...PATIENT, PORT: '0', ENGINE_PROCESSES: '1', MODEL_REPOSITORY: repository, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached,
  })
  onEnd(() => {
    child.kill('SIGKILL')
  })
  const errors: string[] = []
  child.stderr?.on('data', (chunk) => errors.push(String(chunk)))
  const log = followLog(child)
  const exited = new Promise<number | null>((done) => child.once('exit', (code) => done(code)))
  return { child, exited, stderr: () => errors.join(''), ...log }
}

/** The same, ready. */
export async function startReady(options: StartOptions = {}) {
  const server = startServer({ ...options, env: { ENGINE: 'onnx', ...options.env } })
  const [listening, ready] = [server.logged(/^Server listening/), server.logged(/^ready$/)]
  const died = server.exited.then((code) => {
    throw new Error(`the server ended with ${code} before it was ready: ${server.stderr()}`)
  })
  const [{ msg }] = await Promise.race([Promise.all([listening, ready]), died])
  const port = Number(/:(\d+)$/.exec(msg)?.[1])
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

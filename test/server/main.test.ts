import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest'

const ROOT = resolve(import.meta.dirname, '../..')
const FIXTURE = join(ROOT, 'test/fixtures/parity/resnet18-projection')
const NAME = 'resnet18-projection'
const ITEM_BYTES = 28 * 28 * 4

let repository: string

beforeEach(() => {
  repository = mkdtempSync(join(tmpdir(), 'repository-'))
  mkdirSync(join(repository, NAME))
  symlinkSync(FIXTURE, join(repository, NAME, '1'))
})
afterEach(() => rmSync(repository, { recursive: true }))

/** The real process, run from source, and what became of it. */
function start(env: Record<string, string>) {
  const child = spawn(process.execPath, ['--import', 'tsx', join(ROOT, 'src/server/main.ts')], {
    cwd: ROOT,
    env: { ...process.env, MODEL_REPOSITORY: repository, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  onTestFinished(() => {
    child.kill('SIGKILL')
  })
  const errors: string[] = []
  child.stderr?.on('data', (chunk) => errors.push(String(chunk)))
  const exited = new Promise<number | null>((done) => child.once('exit', (code) => done(code)))
  return { child, exited, stderr: () => errors.join('') }
}

/** Resolves with the first log line whose message matches. */
function logLine(child: ChildProcess, message: RegExp): Promise<Record<string, unknown>> {
  return new Promise((done) => {
    if (!child.stdout) return
    createInterface({ input: child.stdout }).on('line', (line) => {
      const entry = JSON.parse(line) as Record<string, unknown>
      if (message.test(String(entry.msg))) done(entry)
    })
  })
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((done) => server.once('listening', done))
  const { port } = server.address() as { port: number }
  await new Promise((done) => server.close(done))
  return port
}

async function startReady(env: Record<string, string> = {}) {
  const port = await freePort()
  const server = start({ PORT: String(port), ENGINE: 'onnx', ...env })
  await logLine(server.child, /^ready$/)
  return { ...server, url: `http://127.0.0.1:${port}` }
}

const classify = (url: string): Promise<Response> =>
  fetch(`${url}/classify`, {
    method: 'POST',
    headers: { 'content-type': 'application/octet-stream' },
    body: new Uint8Array(ITEM_BYTES),
  })

const json = <T>(response: Response): Promise<T> => response.json() as Promise<T>

describe('the server process', () => {
  it.each([
    ['a bad value', { PORT: 'eighty' }, /PORT is "eighty": must be integer/],
    ['an engine that cannot run', { PORT: '0', ENGINE: 'cuda' }, /ENGINE=cuda cannot run here: .*tfjs-node-gpu/],
    ['a default model that is not there', { PORT: '0', DEFAULT_MODEL: 'cats' }, /DEFAULT_MODEL is cats/],
    ['a repository that is not there', { PORT: '0', MODEL_REPOSITORY: '/nowhere' }, /\/nowhere/],
  ])('stops at once on %s, and says which', async (_name, env, message) => {
    const { exited, stderr } = start(env)
    expect(await exited).toBe(1)
    expect(stderr()).toMatch(message)
  })

  it('stops on a broken model, and names its folder', async () => {
    mkdirSync(join(repository, 'broken', '1'), { recursive: true })
    writeFileSync(join(repository, 'broken', '1', 'model.json'), '{')
    const { exited, stderr } = start({ PORT: '0' })
    expect(await exited).toBe(1)
    expect(stderr()).toMatch(/broken\/1\/model\.json: not JSON/)
  })

  it('serves what is in the repository, and ends in order on SIGTERM', async () => {
    const { child, exited, url } = await startReady()
    expect((await fetch(`${url}/readyz`)).status).toBe(200)
    const answer = await json<{ model: object; results: { logits: number[] }[] }>(await classify(url))
    expect(answer.model).toEqual({ name: NAME, version: '1' })
    expect(answer.results[0]?.logits).toHaveLength(9)
    const info = await json<{ engine: { name: string } }>(await fetch(`${url}/info`))
    expect(info.engine.name).toBe('onnx')
    child.kill('SIGTERM')
    expect(await exited).toBe(0)
    await expect(fetch(`${url}/livez`)).rejects.toThrow()
  })

  it('goes on serving while it drains, not ready and alive', async () => {
    const { child, exited, url } = await startReady({ DRAIN_DELAY_MS: '3000' })
    const draining = logLine(child, /^SIGTERM/)
    child.kill('SIGTERM')
    await draining
    const [ready, alive, answer] = await Promise.all([fetch(`${url}/readyz`), fetch(`${url}/livez`), classify(url)])
    expect([ready.status, alive.status, answer.status]).toEqual([503, 200, 200])
    expect(answer.headers.get('connection')).toBe('close')
    expect(await exited).toBe(0)
  })

  it('loses nothing that was sent before it was asked to end', async () => {
    const { child, exited, url } = await startReady({ DRAIN_DELAY_MS: '1000' })
    const answers = Array.from({ length: 50 }, () => classify(url).then(({ status }) => status))
    await Promise.race(answers)
    child.kill('SIGTERM')
    expect(await Promise.all(answers)).toEqual(answers.map(() => 200))
    expect(await exited).toBe(0)
  })

  it('brings a killed engine process back, and HTTP never goes away', async () => {
    const { child, url } = await startReady()
    const back = logLine(child, /^the engine process is back$/)
    process.kill(await engineOf(child), 'SIGKILL')
    expect((await fetch(`${url}/livez`)).status).toBe(200)
    await back
    expect((await fetch(`${url}/readyz`)).status).toBe(200)
    expect((await classify(url)).status).toBe(200)
  })
})

/** The only child that the server process has. */
async function engineOf({ pid }: ChildProcess): Promise<number> {
  const ps = spawn('ps', ['-o', 'pid=', '--ppid', String(pid)])
  let out = ''
  ps.stdout.on('data', (chunk) => {
    out += chunk
  })
  await new Promise((done) => ps.once('close', done))
  return Number(out.trim().split(/\s+/)[0])
}

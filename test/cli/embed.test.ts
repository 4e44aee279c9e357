import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { describe, expect, it, onTestFinished } from 'vitest'
import { builtPath } from '../helpers/built.ts'
import { smallFixture } from '../helpers/parity-fixtures.ts'
import { pixelChunk, writePng } from '../helpers/png.ts'
import { resnetServe } from '../helpers/resnet-serve.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'

const PICTURES = 400
/** Small batches, so that there are many of them. */
const ENV = { ENGINE: 'onnx', ENGINE_PROCESSES: '1', MAX_BATCH_SIZE: '4', LOG_LEVEL: 'error' }

const nameOf = (i: number): string => `${String(i).padStart(4, '0')}.png`

/** Pictures that all differ, in a folder. */
function drawPictures(count: number): string {
  const folder = temporaryFolder()
  for (let i = 0; i < count; i++) {
    const rows = Buffer.alloc(28 * 29, i % 250)
    for (let y = 0; y < 28; y++) rows[y * 29] = 0
    rows[1 + Math.floor(i / 250)] = 255
    writeFileSync(join(folder, nameOf(i)), writePng({ width: 28, height: 28 }, [pixelChunk(rows)]))
  }
  return folder
}

interface Row {
  path: string
  embedding: number[]
}

const readRows = (path: string): Row[] =>
  readFileSync(path, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Row)

function startEmbed(args: string[]) {
  const { directory, manifest } = smallFixture().entry
  const env = { ...process.env, ...ENV, MODEL_REPOSITORY: join(directory, '../..'), DEFAULT_MODEL: manifest.name }
  const child = spawn(process.execPath, [builtPath('cli/main.ts'), 'embed', ...args], { env, stdio: 'ignore' })
  onTestFinished(() => void child.kill('SIGKILL'))
  return child
}

describe('resnet-serve embed', () => {
  it('loses and repeats no row, whenever the process is killed', { timeout: 300_000 }, async () => {
    const folder = drawPictures(PICTURES)
    const out = join(temporaryFolder(), 'x.jsonl')
    const whole = resnetServe(['embed', folder, '--out', `${out}.whole.jsonl`], ENV)
    expect(whole.stderr).toBe('')
    // Each run is killed once it has written something; the last may end by itself.
    for (let kill = 0; kill < 3; kill++) {
      const before = existsSync(`${out}.journal`) ? statSync(`${out}.journal`).size : 200
      const child = startEmbed([folder, '--out', out, '--repository', repositoryOfSmall()])
      const exit = once(child, 'exit')
      let ended = false
      void exit.then(() => {
        ended = true
      })
      while (!ended && !(existsSync(`${out}.journal`) && statSync(`${out}.journal`).size > before)) await nextTurn()
      child.kill('SIGKILL')
      await exit
    }
    const last = resnetServe(['embed', folder, '--out', out, '--json'], ENV)
    expect(last.status, last.stderr).toBe(0)
    const report = JSON.parse(last.stdout) as { embedded: number; computed: number; failed: number }
    expect(report).toMatchObject({ pictures: PICTURES, embedded: PICTURES, failed: 0 })
    expect(report.computed).toBeLessThan(PICTURES)
    const rows = readRows(out)
    expect(rows.map(({ path }) => path)).toEqual(Array.from({ length: PICTURES }, (_, i) => join(folder, nameOf(i))))
    const expected = readRows(`${out}.whole.jsonl`)
    for (const [i, { embedding }] of rows.entries()) {
      // Batches differ, and so do roundings.
      const [a, b] = [embedding, expected[i]?.embedding as number[]]
      expect(Math.max(...a.map((value, k) => Math.abs(value - (b[k] as number))))).toBeLessThan(1e-3)
    }
  })

  it('sends a server no picture again that it has answered', async () => {
    const folder = drawPictures(100)
    const out = join(temporaryFolder(), 'x.jsonl')
    const server = await startFakeServer()
    server.answers = 2
    const child = startEmbed([folder, '--out', out, '--url', server.url])
    const exit = once(child, 'exit')
    // Two requests have been answered and written; all others wait.
    await server.held
    while (lines(`${out}.journal`) < 1 + server.answered) await nextTurn()
    child.kill('SIGKILL')
    await exit
    const { answered } = server
    server.answered = 0
    server.answers = Number.POSITIVE_INFINITY
    expect(await once(startEmbed([folder, '--out', out, '--url', server.url]), 'exit')).toEqual([0, null])
    expect(answered).toBeGreaterThan(16)
    expect(server.answered).toBe(100 - answered)
    expect(readRows(out)).toHaveLength(100)
  })

  it('lists bad files with their reasons, fails, and tries them again only if told to', () => {
    const folder = drawPictures(2)
    writeFileSync(join(folder, 'bad.png'), 'not a picture')
    const out = join(temporaryFolder(), 'x.npy')
    const first = resnetServe(['embed', folder, '--out', out], ENV)
    expect(first.status).toBe(3)
    expect(first.stderr).toContain(`${join(folder, 'bad.png')}: the bytes are not an image (undecodable_image)`)
    expect(first.stdout).toMatch(/^2 of 3 pictures/)
    writeFileSync(join(folder, 'bad.png'), readFileSync(join(folder, nameOf(0))))
    expect(resnetServe(['embed', folder, '--out', out], ENV).status).toBe(3)
    const again = resnetServe(['embed', folder, '--out', out, '--retry-failed', '--json'], ENV)
    expect(again.status).toBe(0)
    expect(JSON.parse(again.stdout)).toMatchObject({ pictures: 3, embedded: 3, computed: 1, failures: [] })
  })

  it('ends with 130 on SIGINT, and keeps its journal', async () => {
    const folder = drawPictures(100)
    const out = join(temporaryFolder(), 'x.jsonl')
    const server = await startFakeServer()
    server.answers = 2
    const child = startEmbed([folder, '--out', out, '--url', server.url])
    const exit = once(child, 'exit')
    await server.held
    while (lines(`${out}.journal`) < 1 + server.answered) await nextTurn()
    child.kill('SIGINT')
    expect(await exit).toEqual([130, null])
    expect(existsSync(out)).toBe(false)
    expect(lines(`${out}.journal`)).toBeGreaterThan(1)
  })

  it('does not replace a file that it has not written', () => {
    const folder = drawPictures(1)
    const out = join(folder, 'x.jsonl')
    writeFileSync(out, 'mine')
    const { status, stderr } = resnetServe(['embed', folder, '--out', out], ENV)
    expect([status, stderr]).toEqual([1, `${out} exists, and no journal of it\nhint: --restart replaces it\n`])
    expect(readFileSync(out, 'utf8')).toBe('mine')
  })

  it.each([
    ['an unknown format', ['x.png', '--out', 'x.csv'], /it must end with .jsonl, .npy, .parquet/],
    ['no output', ['x.png'], /required option '--out <file>'/],
    ['a shard beyond the last', ['x.png', '--out', 'x.npy', '--shard', '2/2'], /i from 0 to n - 1/],
  ])('calls %s wrong usage', (_, args, message) => {
    const { status, stderr } = resnetServe(['embed', ...args])
    expect(status).toBe(2)
    expect(stderr).toMatch(message)
  })
})

describe('resnet-serve classify', () => {
  it('prints a line for each picture in their order, and fails for a bad one', () => {
    const folder = drawPictures(20)
    writeFileSync(join(folder, '0003.png'), 'not a picture')
    const { status, stdout } = resnetServe(['classify', folder, '--json', '--top-k', '2'], ENV)
    expect(status).toBe(3)
    const answers = stdout.trim().split('\n')
    const parsed = answers.map((line) => JSON.parse(line) as { path: string; top?: object[]; error?: { code: string } })
    expect(parsed.map(({ path }) => path)).toEqual(Array.from({ length: 20 }, (_, i) => join(folder, nameOf(i))))
    expect(parsed[3]?.error?.code).toBe('undecodable_image')
    expect(parsed[4]?.top).toHaveLength(2)
  })
})

function lines(path: string): number {
  return existsSync(path) ? readFileSync(path, 'utf8').split('\n').length - 1 : 0
}

/** The small model alone. */
function repositoryOfSmall(): string {
  const { directory, manifest } = smallFixture().entry
  const repository = temporaryFolder()
  const folder = join(repository, manifest.name, manifest.version)
  mkdirSync(folder, { recursive: true })
  for (const file of ['model.json', 'weights.safetensors'])
    writeFileSync(join(folder, file), readFileSync(join(directory, file)))
  return repository
}

/** Answers so many requests for pictures, and none after that. */
async function startFakeServer() {
  const model = { name: 'm', version: '1', embedding_size: 2, embedding_space: 'abc', num_classes: 0 }
  const limits = { max_body_bytes: 2 ** 24, max_inputs: 256, request_timeout_ms: 30_000 }
  const info = { status: 'ready', default_model: 'm', models: [model], limits }
  const embedding = Buffer.from(new Float32Array([1, 2]).buffer).toString('base64')
  let onHeld = (): void => {}
  const state = {
    url: '',
    answers: Number.POSITIVE_INFINITY,
    /** Pictures in the requests that have been answered. */
    answered: 0,
    held: new Promise<void>((resolve) => {
      onHeld = resolve
    }),
  }
  const server = createServer(async (request: IncomingMessage, response) => {
    const send = (body: object): void => {
      response.setHeader('content-type', 'application/json')
      response.end(JSON.stringify(body))
    }
    const body = await buffer(request)
    if (request.url === '/info') return send(info)
    const pictures = body.toString('latin1').split('\x89PNG').length - 1
    const results = Array.from({ length: pictures }, () => ({ embedding }))
    if (state.answers-- <= 0) return onHeld()
    state.answered += pictures
    send({ model: { name: 'm', version: '1' }, dimensions: 2, results })
  }).listen(0, '127.0.0.1')
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  await once(server, 'listening')
  state.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return state
}

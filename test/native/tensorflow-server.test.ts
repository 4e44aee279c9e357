import { type ChildProcess, spawn } from 'node:child_process'
import { cpSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { smallFixture } from '../helpers/parity-fixtures.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'

/**
 * The server on native TensorFlow, as `npm run test:tensorflow` runs it where `resnet-serve install-tensorflow` has been
 * (TENSORFLOW_DIR). `npm test` leaves this folder out.
 */
const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const MIB = 2 ** 20
const REQUESTS = 50_000
const WARM_UP_REQUESTS = 10_000

interface Server {
  url: string
  process: ChildProcess
}

async function start(env: Record<string, string>): Promise<Server> {
  const port = 18_000 + (process.pid % 1000) + Object.keys(env).length
  const child = spawn(process.execPath, ['--import', 'tsx', 'src/server/main.ts'], {
    cwd: ROOT,
    env: { ...process.env, PORT: String(port), ENGINE: 'tensorflow', LOG_LEVEL: 'error', ...env },
    stdio: 'inherit',
  })
  const url = `http://127.0.0.1:${port}`
  const deadline = Date.now() + 60_000
  while (
    !(await fetch(`${url}/readyz`).then(
      (answer) => answer.ok,
      () => false,
    ))
  ) {
    if (child.exitCode !== null || Date.now() > deadline) throw new Error('the server did not get ready')
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  return { url, process: child }
}

async function stop({ process: child }: Server): Promise<void> {
  child.kill('SIGTERM')
  await new Promise((resolve) => child.once('exit', resolve))
}

async function metric({ url }: Server, name: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text()
  return Number(text.match(new RegExp(`^${name} (.*)$`, 'm'))?.[1])
}

describe('the server on native TensorFlow', () => {
  let server: Server
  beforeAll(async () => {
    server = await start({})
  })
  afterAll(() => stop(server))

  it('says which library it runs on', async () => {
    const info = (await (await fetch(`${server.url}/info`)).json()) as { engine: object; models: object[] }
    expect(info.engine).toMatchObject({ name: 'tensorflow', device: 'cpu', tensorflow: expect.stringMatching(/^2\./) })
    expect(info.models[0]).toMatchObject({ precision: 'fp32' })
  })

  it('reads the example, as an upload and many at once', async () => {
    const seven = new Blob([readFileSync(join(ROOT, 'examples/seven.png'))], { type: 'image/png' })
    const body = new FormData()
    for (let i = 0; i < 20; i++) body.append(`file${i}`, seven, 'seven.png')
    const answer = await fetch(`${server.url}/classify`, { method: 'POST', body })
    const { results } = (await answer.json()) as { results: { label: string; logits: number[]; embedding: number[] }[] }
    expect(results.map(({ label }) => label)).toEqual(Array(20).fill('7'))
    expect([results[0]?.logits.length, results[0]?.embedding.length]).toEqual([10, 256])
  })
})

describe('the server on native TensorFlow, over 50,000 requests', () => {
  it('keeps no tensor, and no more than 30 MiB of memory', async () => {
    const { entry, input } = smallFixture()
    const repository = temporaryFolder()
    const { name, version } = entry.manifest
    mkdirSync(join(repository, name), { recursive: true })
    cpSync(entry.directory, join(repository, name, version), { recursive: true })
    const server = await start({ MODEL_REPOSITORY: repository })
    try {
      const row = input.length / 3
      const bodies = Array.from({ length: 64 }, (_, i) => {
        const values = input.slice(0, row).map((value) => value + i / 64)
        return Buffer.from(values.buffer)
      })
      const ask = async (body: Buffer): Promise<boolean> => {
        const headers = { 'content-type': 'application/octet-stream', accept: 'application/octet-stream' }
        const answer = await fetch(`${server.url}/embed`, { method: 'POST', headers, body: new Uint8Array(body) })
        return answer.ok && (await answer.arrayBuffer()).byteLength > 0
      }
      /** As many requests, 32 at a time; how many were answered. */
      const load = async (amount: number): Promise<number> => {
        let next = 0
        let answered = 0
        const client = async (): Promise<void> => {
          for (let i = next++; i < amount; i = next++) if (await ask(bodies[i % bodies.length] as Buffer)) answered++
        }
        await Promise.all(Array.from({ length: 32 }, client))
        return answered
      }
      await load(WARM_UP_REQUESTS)
      const pulse = () => new Promise((resolve) => setTimeout(resolve, 1500))
      await pulse()
      const before = {
        tensors: await metric(server, 'resnet_engine_tensors'),
        bytes: await metric(server, 'resnet_engine_resident_memory_bytes'),
      }
      const answered = await load(REQUESTS)
      await pulse()
      const after = {
        tensors: await metric(server, 'resnet_engine_tensors'),
        bytes: await metric(server, 'resnet_engine_resident_memory_bytes'),
      }
      console.log({ answered, before, after, grownMiB: (after.bytes - before.bytes) / MIB })
      expect(answered).toBe(REQUESTS)
      expect([before.tensors, after.tensors]).toEqual([0, 0])
      expect(after.bytes - before.bytes).toBeLessThanOrEqual(30 * MIB)
    } finally {
      await stop(server)
    }
  }, 300_000)
})

import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import {
  classify,
  enginesOf,
  MODEL_NAME,
  startReady,
  startServer,
  temporaryRepository,
} from '../helpers/server-process.ts'

const json = <T>(response: Response): Promise<T> => response.json() as Promise<T>

describe('the server process', () => {
  it.each([
    ['a bad value', { PORT: 'eighty' }, /PORT is "eighty": must be integer/],
    ['an engine that cannot run', { PORT: '0', ENGINE: 'cuda' }, /ENGINE=cuda cannot run here: .*tfjs-node-gpu/],
    ['a default model that is not there', { PORT: '0', DEFAULT_MODEL: 'cats' }, /DEFAULT_MODEL is cats/],
    ['a repository that is not there', { PORT: '0', MODEL_REPOSITORY: '/nowhere' }, /\/nowhere/],
  ])('stops at once on %s, and says which', async (_name, env, message) => {
    const { exited, stderr } = startServer({ env })
    expect(await exited).toBe(1)
    expect(stderr()).toMatch(message)
  })

  it('stops on a broken model, and names its folder', async () => {
    const repository = temporaryRepository()
    mkdirSync(join(repository, 'broken', '1'), { recursive: true })
    writeFileSync(join(repository, 'broken', '1', 'model.json'), '{')
    const { exited, stderr } = startServer({ env: { PORT: '0', MODEL_REPOSITORY: repository } })
    expect(await exited).toBe(1)
    expect(stderr()).toMatch(/broken\/1\/model\.json: not JSON/)
  })

  it('serves what is in the repository, and ends in order on SIGTERM', async () => {
    // Nothing is written, so it does not matter that there is no temporary folder.
    const { child, exited, url } = await startReady({ env: { TMPDIR: join(temporaryRepository(), 'absent') } })
    expect((await fetch(`${url}/readyz`)).status).toBe(200)
    const answer = await json<{ model: object; results: { logits: number[] }[] }>(await classify(url))
    expect(answer.model).toEqual({ name: MODEL_NAME, version: '1' })
    expect(answer.results[0]?.logits).toHaveLength(9)
    const info = await json<{ engine: { name: string } }>(await fetch(`${url}/info`))
    expect(info.engine.name).toBe('onnx')
    child.kill('SIGTERM')
    expect(await exited).toBe(0)
    await expect(fetch(`${url}/livez`)).rejects.toThrow()
  })

  it('opens its port no sooner than it is ready, where that is asked for', async () => {
    const { lines } = await startReady({ env: { LISTEN_WHEN: 'ready' } })
    const position = (message: RegExp) => lines.findIndex(({ msg }) => message.test(String(msg)))
    expect(position(/is loaded$/)).toBeGreaterThanOrEqual(0)
    expect(position(/^Server listening/)).toBeGreaterThan(position(/is loaded$/))
  })

  it('serves on while one of two engine processes is killed', async () => {
    const { child, url, logged } = await startReady({ env: { ENGINE_PROCESSES: '2' } })
    const [first, second] = await enginesOf(child)
    expect(second).toBeDefined()
    const killed = logged(/the engine failed/)
    process.kill(first as number, 'SIGKILL')
    await killed
    expect((await fetch(`${url}/readyz`)).status).toBe(200)
    expect((await classify(url)).status).toBe(200)
  })

  it('brings killed engine processes back, and HTTP never goes away', async () => {
    const { child, url, logged } = await startReady()
    const back = logged(/the engine process is back$/)
    for (const engine of await enginesOf(child)) process.kill(engine, 'SIGKILL')
    expect((await fetch(`${url}/livez`)).status).toBe(200)
    await back
    expect((await fetch(`${url}/readyz`)).status).toBe(200)
    expect((await classify(url)).status).toBe(200)
  })
})

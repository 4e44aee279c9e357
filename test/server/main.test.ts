import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { CLASSES, classify, enginesOf, MODEL_NAME, startReady, startServer } from '../helpers/server-process.ts'

const json = <T>(response: Response): Promise<T> => response.json() as Promise<T>

describe('the server process', () => {
  it.each([
    ['a bad value', { PORT: 'eighty' }, /^configuration: PORT is "eighty": must be integer/],
    [
      'a name for an address',
      { HOST: 'x86_64-conda-linux-gnu' },
      /^configuration: HOST is "x86_64-conda-linux-gnu": [^\n]*\n$/,
    ],
    ['an engine that cannot run', { ENGINE: 'cuda' }, /^start-up: ENGINE=cuda cannot run here: .*tfjs-node-gpu/],
  ])('stops at once on %s, and says which', async (_name, env, message) => {
    const { exited, stderr } = startServer({ env })
    expect(await exited).toBe(1)
    expect(stderr()).toMatch(message)
  })

  describe('with two engine processes', () => {
    const cleanUps: (() => void)[] = []
    let server: Awaited<ReturnType<typeof startReady>>

    beforeAll(async () => {
      // Nothing is written, so it does not matter that there is no temporary folder.
      server = await startReady({
        env: { ENGINE_PROCESSES: '2', LISTEN_WHEN: 'ready', TMPDIR: '/nowhere' },
        onEnd: (cleanUp) => cleanUps.push(cleanUp),
      })
    })
    afterAll(() => {
      for (const cleanUp of cleanUps.reverse()) cleanUp()
    })

    it('serves what is in the repository', async () => {
      const { url } = server
      expect((await fetch(`${url}/readyz`)).status).toBe(200)
      const answer = await json<{ model: object; results: { logits: number[] }[] }>(await classify(url))
      expect(answer.model).toEqual({ name: MODEL_NAME, version: '1' })
      expect(answer.results[0]?.logits).toHaveLength(CLASSES)
      const info = await json<{ engine: { name: string } }>(await fetch(`${url}/info`))
      expect(info.engine.name).toBe('onnx')
    })

    it('has opened its port no sooner than it was ready, where that is asked for', () => {
      const position = (message: RegExp) => server.lines.findIndex(({ msg }) => message.test(String(msg)))
      expect(position(/is loaded$/)).toBeGreaterThanOrEqual(0)
      expect(position(/^Server listening/)).toBeGreaterThan(position(/is loaded$/))
    })

    it('serves on while one of them is killed, and brings it back', async () => {
      const { child, url, logged } = server
      const [first, second] = await enginesOf(child)
      expect(second).toBeDefined()
      const [killed, back] = [logged(/the engine failed/), logged(/the engine process is back$/)]
      process.kill(first as number, 'SIGKILL')
      await killed
      expect((await fetch(`${url}/readyz`)).status).toBe(200)
      expect((await classify(url)).status).toBe(200)
      await back
    })

    it('brings all of them back, and HTTP never goes away', async () => {
      const { child, url, logged } = server
      const back = logged(/the engine process is back$/)
      for (const engine of await enginesOf(child)) process.kill(engine, 'SIGKILL')
      expect((await fetch(`${url}/livez`)).status).toBe(200)
      await back
      expect((await fetch(`${url}/readyz`)).status).toBe(200)
      expect((await classify(url)).status).toBe(200)
    })
  })
})

import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, vi } from 'vitest'
import { addVersion, numberOf } from '../helpers/model-versions.ts'
import { enginesOf, ITEM_BYTES, MODEL_NAME, startReady } from '../helpers/server-process.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'

const KEY = 'key-of-those-who-may'

interface Answer {
  status: number
  /** The version that the answer names. */
  version: string | undefined
  /** The number of the weights that it was computed with. */
  number: number | undefined
}

async function start(versions: string[], env: Record<string, string> = {}) {
  const repository = env.MODEL_REPOSITORY ?? temporaryFolder()
  for (const version of versions) addVersion(repository, version)
  const server = await startReady({ env: { MODEL_REPOSITORY: repository, ADMIN_API_KEY: KEY, ...env } })

  const post = async (path: string, body?: object) => {
    const answer = await fetch(`${server.url}/v2/repository/${path}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${KEY}` },
      ...(body ? { body: JSON.stringify(body) } : {}),
    })
    return { status: answer.status, body: await answer.json() }
  }
  const change = (what: 'load' | 'unload', version?: string) =>
    post(`models/${MODEL_NAME}/${what}`, version === undefined ? undefined : { parameters: { version } })
  const embed = async (query = ''): Promise<Answer> => {
    const answer = await fetch(`${server.url}/embed${query}`, {
      method: 'POST',
      headers: { 'content-type': 'application/octet-stream' },
      body: new Uint8Array(ITEM_BYTES),
    })
    const { model, results } = (await answer.json()) as {
      model?: { version: string }
      results?: { logits: number[] }[]
    }
    return { status: answer.status, version: model?.version, number: results && numberOf(results[0]?.logits ?? []) }
  }
  /** So many clients, each of which asks without a pause until `stop`, which gives their answers. */
  const clients = (count: number) => {
    const answers: Answer[] = []
    let stopped = false
    const run = async (): Promise<void> => {
      while (!stopped) answers.push(await embed())
    }
    const running = Promise.all(Array.from({ length: count }, run))
    return {
      /** Resolves when one of them has had this answer. */
      have: (answer: Answer) =>
        vi.waitFor(() => expect(answers).toContainEqual(answer), { timeout: 30_000, interval: 10 }),
      stop: async () => {
        stopped = true
        await running
        return answers
      },
    }
  }
  return { ...server, repository, post, change, embed, clients }
}

const served = (version: string, number = Number(version)): Answer => ({ status: 200, version, number })

// `npm run soak -- swaps` is the long form. Engine processes start in these tests while clients take all cores.
describe('models of a running server', { timeout: 240_000 }, () => {
  it('are loaded, listed, loaded again from other files and unloaded', async () => {
    const { repository, post, change, embed } = await start(['1', '2'], { LOAD_MODELS: `${MODEL_NAME}:1` })
    expect(await embed()).toEqual(served('1'))
    expect((await post('index')).body).toMatchObject([
      { name: MODEL_NAME, version: '1', state: 'READY', reason: '' },
      { name: MODEL_NAME, version: '2', state: 'UNAVAILABLE', reason: 'not loaded' },
    ])

    expect(await change('load')).toEqual({ status: 200, body: {} })
    expect([await embed(), await embed('?version=1')]).toEqual([served('2'), served('1')])

    expect(await change('unload', '1')).toEqual({ status: 200, body: {} })
    expect((await embed('?version=1')).status).toBe(404)
    expect((await post('index', { ready: true })).body).toMatchObject([{ version: '2', state: 'READY' }])

    addVersion(repository, '2', { number: 7 })
    expect((await change('load', '2')).status).toBe(200)
    expect(await embed()).toEqual(served('2', 7))
  })

  it('are swapped under load without a failed request, and no answer is of two versions', async () => {
    const { child, repository, change, clients, exited } = await start(['1'])
    const load = clients(8)
    await load.have(served('1'))
    for (let number = 2; number <= 3; number++) {
      addVersion(repository, String(number))
      expect((await change('load')).status).toBe(200)
      await load.have(served(String(number)))
      expect((await change('unload', String(number - 1))).status).toBe(200)
    }
    // The same version again, from other files: who has the old one gets its answer from the old one.
    addVersion(repository, '3', { number: 4 })
    expect((await change('load', '3')).status).toBe(200)
    await load.have(served('3', 4))
    const answers = await load.stop()
    expect(answers.filter(({ status }) => status !== 200)).toEqual([])
    const kinds = new Set(answers.map(({ version, number }) => `${version} by ${number}`))
    expect(kinds).toEqual(new Set(['1 by 1', '2 by 2', '3 by 3', '3 by 4']))
    await vi.waitFor(async () => expect(await enginesOf(child)).toHaveLength(1), { timeout: 30_000 })
    child.kill('SIGTERM')
    expect(await exited).toBe(0)
  })

  it('stay as they are when a load fails, and the reason is told', async () => {
    const { repository, post, change, embed, lines } = await start(['1'])
    const folder = addVersion(repository, '2')
    writeFileSync(join(folder, 'weights.safetensors'), 'half of it')
    const reason = /2\/weights\.safetensors: sha256 is/
    expect(await change('load', '2')).toEqual({ status: 400, body: { error: expect.stringMatching(reason) } })
    expect(await embed()).toEqual(served('1'))
    expect((await post('index')).body).toMatchObject([
      { version: '1', state: 'READY' },
      { version: '2', state: 'UNAVAILABLE', reason: expect.stringMatching(reason) },
    ])
    expect(lines.find(({ level, msg }) => level === 50 && reason.test(msg))).toBeDefined()
  })

  it('go on although their files are gone, also while others are loaded', async () => {
    const { repository, change, embed } = await start(['1'])
    rmSync(join(repository, MODEL_NAME, '1'), { recursive: true })
    addVersion(repository, '2')
    expect((await change('load', '2')).status).toBe(200)
    expect([await embed(), await embed('?version=1')]).toEqual([served('2'), served('1')])
    expect((await change('unload', '1')).status).toBe(200)
    expect((await embed('?version=1')).status).toBe(404)
    expect(await embed()).toEqual(served('2'))
  })

  it('are loaded when they appear in the folder, and the pinned version still answers who names none', async () => {
    const env = { WATCH_REPOSITORY_S: '1', DEFAULT_VERSIONS: `${MODEL_NAME}:1` }
    const { repository, embed, logged } = await start(['1'], env)
    const loaded = logged(/\/2 is loaded$/)
    addVersion(repository, '2')
    await loaded
    expect([await embed(), await embed('?version=2')]).toEqual([served('1'), served('2')])
  })

  it('that are broken are left out at the start with STRICT_STARTUP=false', async () => {
    const { repository, embed, post } = await startWithBroken({ STRICT_STARTUP: 'false' })
    expect(await embed()).toEqual(served('1'))
    const reason = expect.stringContaining(join(repository, MODEL_NAME, '2', 'weights.safetensors'))
    expect((await post('index')).body).toMatchObject([{ state: 'READY' }, { state: 'UNAVAILABLE', reason }])
  })
})

/** A server whose second version has no weights. */
function startWithBroken(env: Record<string, string>) {
  const repository = temporaryFolder()
  addVersion(repository, '1')
  rmSync(join(addVersion(repository, '2'), 'weights.safetensors'))
  return start([], { ...env, MODEL_REPOSITORY: repository })
}

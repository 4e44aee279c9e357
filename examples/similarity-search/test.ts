import assert from 'node:assert/strict'
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { after, test } from 'node:test'
import { promisify } from 'node:util'
import { Store } from './store.ts'

const SPACE = 'a'.repeat(16)
const OTHER = 'b'.repeat(16)

/** The same numbers in every run (mulberry32). */
function generator(seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

const vectors = (count: number, random: () => number): number[][] =>
  Array.from({ length: count }, () => Array.from({ length: 64 }, () => random() - 0.5))

test('the index finds at least 95 of 100 nearest neighbours that a search of every picture finds', async () => {
  const store = await Store.open(undefined)
  after(() => store.close())
  const random = generator(1)
  for (const [i, vector] of vectors(2000, random).entries()) await store.put(SPACE, `${i}`, vector)
  await store.index(SPACE, 64)
  let found = 0
  let foundInHaste = 0
  for (const query of vectors(20, random)) {
    const exact = new Set((await store.nearest(SPACE, query, 10, { exact: true })).map(({ path }) => path))
    const nearest = await store.nearest(SPACE, query, 10)
    const distances = nearest.map(({ distance }) => distance)
    assert.deepEqual(
      distances,
      distances.toSorted((a, b) => a - b),
    )
    found += nearest.filter(({ path }) => exact.has(path)).length
    const hasty = await store.nearest(SPACE, query, 10, { effort: 10 })
    foundInHaste += hasty.filter(({ path }) => exact.has(path)).length
  }
  assert.ok(found >= 190, `${found} of 200`)
  assert.ok(foundInHaste < found, `${foundInHaste} with a tenth of the effort: is the index used at all?`)
})

test('a picture that is stored again is replaced, and no search leaves its space', async () => {
  const store = await Store.open(undefined)
  after(() => store.close())
  await store.put(SPACE, 'one', [1, 0])
  await store.put(OTHER, 'two', [1, 0, 0])
  await store.put(SPACE, 'one', [0, 1])
  await store.index(SPACE, 2)
  await store.index(OTHER, 3)
  assert.deepEqual(await store.nearest(SPACE, [0, 1], 5), [{ path: 'one', distance: 0 }])
  assert.deepEqual(await store.nearest(OTHER, [1, 0, 0], 5), [{ path: 'two', distance: 0 }])
  await assert.rejects(store.nearest(`'; DROP TABLE pictures; --`, [0, 1], 1), /not the name of an embedding space/)
})

test('a folder of pictures is indexed, and the nearest of one of them is itself', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'similarity-search-'))
  const { url, server } = await start()
  after(() => {
    server.kill('SIGKILL')
    rmSync(folder, { recursive: true })
  })
  for (const name of ['seven.png', 'three.jpg']) cpSync(join('..', name), join(folder, name))
  writeFileSync(join(folder, 'broken.png'), 'no picture')
  const env = {
    ...process.env,
    RESNET_SERVE_URL: url,
    DATABASE_FOLDER: join(folder, 'database'),
    DATABASE_URL: undefined,
  }
  const run = (script: string, ...args: string[]) =>
    promisify(execFile)(process.execPath, ['--import', 'tsx', script, ...args], { env })
  const { stderr } = await run('index.ts', folder)
  assert.match(stderr, /broken\.png: /)
  const { stdout } = await run('search.ts', join(folder, 'three.jpg'))
  const lines = stdout.trim().split('\n')
  assert.equal(lines.length, 2)
  assert.match(lines[0] as string, /^-?0\.0000 {2}.*three\.jpg$/)
  assert.match(lines[1] as string, /^[0-2]\.\d{4} {2}.*seven\.png$/)
})

/** The built server, on a free port. */
async function start(): Promise<{ url: string; server: ChildProcess }> {
  const server = spawn(process.execPath, [resolve('../../dist/server/main.js')], { env: { ...process.env, PORT: '0' } })
  let url = ''
  for await (const line of createInterface({ input: server.stdout })) {
    const { msg } = JSON.parse(line) as { msg: string }
    url = /^Server listening at (\S+)/.exec(msg)?.[1] ?? url
    if (msg === 'ready') break
  }
  server.stdout.resume()
  return { url, server }
}

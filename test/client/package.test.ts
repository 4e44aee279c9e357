import { execFile } from 'node:child_process'
import { mkdirSync, symlinkSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { createContext, runInContext } from 'node:vm'
import { describe, expect, it } from 'vitest'
import type * as Client from '../../src/client/index.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'
import { listening, tensor } from './listening.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const require = createRequire(import.meta.url)

/** What someone writes who has the package. */
const CONSUMER = `
import { type Input, ResnetClient, ResnetServeError } from 'resnet-serve/client'

const client = new ResnetClient({ baseUrl: 'http://localhost:8080' })
const picture = new Blob([])

const { model, results } = await client.classify([picture, new Uint8Array(3)], { topK: 1 })
const [name, label, top]: [string, string | undefined, number | undefined] = [
  model.name,
  results[0]?.label,
  results[0]?.top[0]?.classId,
]
const embedding: Float32Array | undefined = (await client.embed({ tensor: new Float32Array(3) })).results[0]?.embedding
const both = await client.embed(picture, { include: ['embedding', 'logits'], partial: true })
for (const result of both.results) {
  if (result.error) console.error(result.error.code satisfies string, result.error.index)
  else console.log(result.embedding.length, result.logits.length)
}
async function* inputs(): AsyncGenerator<Input> {
  yield picture
}
for await (const result of client.embedAll(inputs(), { concurrency: 2, normalize: true })) {
  console.log(result.index, result.error ?? result.embedding)
}
// @ts-expect-error logits were not asked for
console.log(name, label, top, embedding, results[0]?.logits)
// @ts-expect-error without partial no result is an error
console.log(results[0]?.error.code)
// @ts-expect-error there is no such part
await client.embed(picture, { include: ['all'] })
console.log(ResnetServeError.name, (await client.info()).models[0]?.embeddingSize, await client.ready())
`

const compiler = join(dirname(require.resolve('typescript/package.json')), 'bin/tsc')
const compile = (...args: string[]) =>
  promisify(execFile)(process.execPath, [compiler, ...args]).catch(({ stdout }) => {
    throw new Error(stdout)
  })

describe('the package', () => {
  it('imports the client by name', async () => {
    // Not as a literal: types are checked before dist/ is built.
    const name = 'resnet-serve/client'
    const { ResnetClient } = (await import(name)) as typeof Client
    const { baseUrl } = await listening()
    expect((await new ResnetClient({ baseUrl }).embed(tensor(0, 0, 1))).dimensions).toBe(4)
  })

  it.each([
    ['nodenext', 'nodenext'],
    ['esnext', 'bundler'],
  ])('has types for whoever compiles with module %s and resolution %s', async (module, moduleResolution) => {
    const compilerOptions = {
      module,
      moduleResolution,
      target: 'es2022',
      lib: ['es2022', 'dom'],
      strict: true,
      types: [],
    }
    const folder = temporaryFolder({
      'consumer.mts': CONSUMER,
      'tsconfig.json': JSON.stringify({ compilerOptions, include: ['.'] }),
    })
    mkdirSync(join(folder, 'node_modules'))
    symlinkSync(ROOT, join(folder, 'node_modules/resnet-serve'))
    await compile('--noEmit', '--project', folder)
  })

  it('needs nothing of Node: it compiles with the types of a browser', async () => {
    await compile('--noEmit', '--emitDeclarationOnly', 'false', '--project', join(ROOT, 'src/client'))
  })
})

describe('in a browser', () => {
  /** What a page has, and nothing of Node. */
  const page = {
    AbortController,
    atob,
    Blob,
    clearTimeout,
    DataView,
    fetch,
    FormData,
    Headers,
    performance,
    Request,
    setTimeout,
    TextDecoder,
    URLSearchParams,
  }

  it('the bundled client asks, and waits for a server that is away', async () => {
    // tsx's own.
    const { build } = createRequire(require.resolve('tsx/package.json'))('esbuild')
    const { outputFiles, metafile } = await build({
      entryPoints: [join(ROOT, 'dist/client/index.js')],
      bundle: true,
      platform: 'browser',
      format: 'iife',
      globalName: 'client',
      write: false,
      metafile: true,
    })
    const inputs = Object.keys(metafile.inputs)
    expect(inputs.filter((path) => !path.includes('dist/client/'))).toEqual([])
    const context = createContext({ ...page })
    runInContext(outputFiles[0].text, context)
    const { ResnetClient } = runInContext('client', context) as typeof Client

    const { baseUrl } = await listening()
    let lost = 0
    const fetchAtSecond: typeof fetch = (...request) => {
      if (lost++ === 0) return Promise.reject(new TypeError('Failed to fetch'))
      return fetch(...request)
    }
    const client = new ResnetClient({ baseUrl, fetch: fetchAtSecond })
    const { results } = await client.embed([tensor(0, 0, 1), tensor(0, 0, 2)], { partial: true })
    expect(results.map((result) => 'embedding' in result && result.embedding[0])).toEqual([1, 2])
    expect(lost).toBe(2)
    await expect(client.classify(new Uint8Array([1]))).rejects.toMatchObject({ code: 'undecodable_image' })
  })
})

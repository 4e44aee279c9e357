/** What someone writes on top of a client that openapi-typescript and openapi-fetch make: run.sh makes it, and runs this. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import createClient from 'openapi-fetch'
import type { paths } from './api.js'

const [url = '', key = '', examples = ''] = process.argv.slice(2)
const headers = { authorization: `Bearer ${key}` }
const client = createClient<paths>({ baseUrl: url, headers })

/** The types say string where bytes go. */
const binary = (bytes: BlobPart): string => new Blob([bytes]) as unknown as string
const asForm = ({ file = [] }: { file?: string[] }): FormData => {
  const form = new FormData()
  for (const each of file) form.append('file', each as unknown as Blob, 'picture')
  return form
}
const asBytes = (body: unknown): BodyInit => body as Blob
const pictures = ['seven.png', 'three.jpg'].map((name) => binary(readFileSync(`${examples}/${name}`)))
const rows: number[][] = Array.from({ length: 28 }, (_, y) =>
  Array.from({ length: 28 }, (_, x) => (x === 14 ? y / 28 : 0)),
)
const values = binary(Float32Array.from(rows.flat()))

const form = await client.POST('/classify', {
  body: { file: pictures },
  bodySerializer: (body) => asForm(body as { file?: string[] }),
  params: { query: { include: 'top', top_k: '2' } },
})
assert.deepEqual(
  form.data?.results.map(({ label, top }) => [label, top?.length]),
  [
    ['7', 2],
    ['3', 2],
  ],
)

const picture = await client.POST('/classify', {
  body: pictures[0] as string,
  bodySerializer: asBytes,
  headers: { 'content-type': 'image/png' },
})
assert.equal(picture.data?.results[0]?.label, '7')

const json = await client.POST('/embed', { body: { inputs: [{ tensor: rows }, { tensor: [rows] }] } })
// Bytes, which the types call a string, come only to who asks for them.
assert(typeof json.data === 'object')
assert.match(json.response.headers.get('x-embedding-space') ?? '', /^[0-9a-f]{16}$/)
const { dimensions, results } = json.data
const embeddings = results.map(({ embedding }) => embedding as number[])
assert.deepEqual(
  embeddings.map(({ length }) => length),
  [dimensions, dimensions],
)

const raw = await client.POST('/embed', {
  body: values,
  bodySerializer: asBytes,
  headers: { 'content-type': 'application/octet-stream', accept: 'application/octet-stream' },
  parseAs: 'arrayBuffer',
})
const numbers = new Float32Array(raw.data as ArrayBuffer)
assert.equal(numbers.length, embeddings[0]?.length)
for (const [i, value] of numbers.entries()) assert.ok(Math.abs(value - (embeddings[0]?.[i] as number)) < 1e-3)

const refused = await client.POST('/classify', { body: { inputs: [{ tensor: [[1]] }] } })
assert.deepEqual([refused.response.status, refused.error?.code], [400, 'invalid_tensor'])
const stranger = await createClient<paths>({ baseUrl: url }).POST('/classify', { body: { inputs: [{ tensor: rows }] } })
assert.equal(stranger.error?.code, 'unauthorized')

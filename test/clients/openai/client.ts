/** What someone writes with OpenAI's client for JavaScript: run.sh installs it, and runs this. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import OpenAI, { type APIError } from 'openai'

const [url = '', key = '', examples = '', limited = '', unavailable = ''] = process.argv.slice(2)
const clientOf = (baseURL: string, apiKey: string): OpenAI => new OpenAI({ baseURL, apiKey, maxRetries: 0 })
const client = clientOf(`${url}/v1`, key)

const picture = (name: string): string => readFileSync(`${examples}/${name}`).toString('base64')
/** As float32: every form must be the same to the last bit. */
const rounded = (embedding: number[]): number[] => [...Float32Array.from(embedding)]
const vectorsOf = ({ data }: OpenAI.CreateEmbeddingResponse): number[][] =>
  data.map(({ embedding }) => rounded(embedding))

const [seven, three] = [picture('seven.png'), `data:image/jpeg;base64,${picture('three.jpg')}`]
const answer = await fetch(`${url}/embed`, {
  method: 'POST',
  headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
  body: JSON.stringify({ inputs: [{ image: seven }, { image: three }] }),
})
const { results } = (await answer.json()) as { results: { embedding: number[] }[] }
const expected = results.map(({ embedding }) => rounded(embedding))

// One and many; what the client asks for by itself, numbers, and base64.
const one = await client.embeddings.create({ model: 'digits', input: seven })
assert.deepEqual(vectorsOf(one), [expected[0]])
assert.deepEqual([one.model, one.usage.total_tokens], ['digits:1', 0])
const input = [seven, three]
const dimensions = expected[0]?.length ?? 0
const many = await client.embeddings.create({ model: 'digits:1', input, user: 'me', dimensions })
assert.deepEqual(vectorsOf(many), expected)
assert.deepEqual(
  many.data.map(({ index }) => index),
  [0, 1],
)
assert.deepEqual(
  vectorsOf(await client.embeddings.create({ model: 'digits', input, encoding_format: 'float' })),
  expected,
)
const coded = await client.embeddings.create({ model: 'digits', input, encoding_format: 'base64' })
const decoded = coded.data.map(({ embedding }) => {
  const bytes = Buffer.from(embedding as unknown as string, 'base64')
  return Array.from({ length: bytes.length / 4 }, (_, i) => bytes.readFloatLE(4 * i))
})
assert.deepEqual(decoded, expected)

// As vLLM's documentation has it.
const content = [{ type: 'image_url', image_url: { url: three } }]
const body = { model: 'digits', messages: [{ role: 'user', content }] }
assert.deepEqual(vectorsOf(await client.post<OpenAI.CreateEmbeddingResponse>('/embeddings', { body })), [expected[1]])

const ids: string[] = []
for await (const { id } of client.models.list()) ids.push(id)
assert.deepEqual(ids, ['digits'])
assert.equal((await client.models.retrieve('digits')).owned_by, 'resnet-serve')
assert.equal((await client.models.retrieve('digits:1')).id, 'digits:1')

type ErrorClass = abstract new (...args: never[]) => APIError
async function fails(call: () => PromiseLike<unknown>, error: ErrorClass, code: string): Promise<APIError> {
  const raised = await Promise.resolve(call()).then(
    () => assert.fail(`there is no ${error.name}`),
    (reason: APIError) => reason,
  )
  assert.ok(raised instanceof error, `${raised} is no ${error.name}`)
  assert.equal(raised.code, code)
  assert.ok(raised.requestID, 'the client knows X-Request-Id')
  return raised
}
const embed = (changes: object, of = client) => {
  return () => of.embeddings.create({ model: 'digits', input: seven, ...changes })
}

await fails(embed({ model: 'text-embedding-3-small' }), OpenAI.NotFoundError, 'model_not_found')
await fails(() => client.models.retrieve('nothing'), OpenAI.NotFoundError, 'model_not_found')
await fails(() => client.chat.completions.create({ model: 'digits', messages: [] }), OpenAI.NotFoundError, 'not_found')
await fails(embed({ dimensions: 3 }), OpenAI.BadRequestError, 'invalid_parameter')
const link = await fails(embed({ input: 'https://example.com/seven.png' }), OpenAI.BadRequestError, 'malformed_body')
assert.equal(link.type, 'invalid_request_error')
assert.match(link.message, /URLs are not fetched/)
await fails(embed({ input: 'some text' }), OpenAI.UnprocessableEntityError, 'undecodable_image')
const stranger = clientOf(`${url}/v1`, 'wrong')
await fails(embed({}, stranger), OpenAI.AuthenticationError, 'unauthorized')
await fails(() => stranger.models.list(), OpenAI.AuthenticationError, 'unauthorized')
await fails(embed({}, clientOf(limited, 'none')), OpenAI.RateLimitError, 'overloaded')
await fails(embed({}, clientOf(unavailable, 'none')), OpenAI.InternalServerError, 'overloaded')

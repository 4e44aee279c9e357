import request from 'supertest'
import { describe, expect, it } from 'vitest'
import { build } from '../helpers/build.ts'

const OPEN_INFERENCE = [
  '/v2',
  '/v2/health/live',
  '/v2/health/ready',
  '/v2/models',
  '/v2/models/stats',
  ...['/v2/models/{model}', '/v2/models/{model}/versions/{version}'].flatMap((path) =>
    ['', '/ready', '/config', '/stats', '/infer'].map((end) => path + end),
  ),
]

describe('the API’s description', () => {
  it('lists every route with its inputs and its failures', async () => {
    const { app } = await build()
    const { body } = await request(app.server).get('/openapi.json')
    expect(body.openapi).toMatch(/^3\.1/)
    expect(
      Object.keys(body.paths)
        .filter((path) => !path.startsWith('/v2'))
        .sort(),
    ).toEqual(['/classify', '/embed', '/info', '/livez', '/metrics', '/readyz'])
    const { requestBody, parameters, responses } = body.paths['/classify'].post
    expect(Object.keys(requestBody.content).sort()).toEqual([
      'application/json',
      'application/octet-stream',
      'image/jpeg',
      'image/png',
      'image/webp',
      'multipart/form-data',
    ])
    const names = parameters.map(({ name }: { name: string }) => name)
    expect(names.sort()).toEqual(['encoding_format', 'include', 'model', 'normalize', 'partial', 'top_k', 'version'])
    expect(Object.keys(responses)).toEqual(expect.arrayContaining(['200', '4XX', '5XX']))
  })

  it.each(['/classify', '/embed'])(
    'gives every body of %s a type, so that generated clients can send it',
    async (path) => {
      const { app } = await build()
      const { body } = await request(app.server).get('/openapi.json')
      const { content } = body.paths[path].post.requestBody as { content: Record<string, { schema: object }> }
      const bytes = { type: 'string', format: 'binary' }
      for (const [type, { schema }] of Object.entries(content)) {
        if (type === 'application/json') expect(schema).toMatchObject({ type: 'object', required: ['inputs'] })
        else if (type === 'multipart/form-data')
          expect(schema).toMatchObject({ type: 'object', properties: { file: { type: 'array', items: bytes } } })
        else expect(schema).toMatchObject(bytes)
      }
    },
  )

  it.each(['/classify', '/embed'])('tells of the header of %s that names the embedding space', async (path) => {
    const { app } = await build()
    const { body } = await request(app.server).get('/openapi.json')
    const header = body.paths[path].post.responses['200'].headers['X-Embedding-Space']
    expect(header).toMatchObject({ description: expect.any(String), schema: { type: 'string' } })
  })

  it('has the Open Inference Protocol, its requests and its errors', async () => {
    const { app } = await build()
    const { body } = await request(app.server).get('/openapi.json')
    expect(Object.keys(body.paths)).toEqual(expect.arrayContaining(OPEN_INFERENCE))
    const { requestBody, responses } = body.paths['/v2/models/{model}/infer'].post
    expect(requestBody.content['application/json'].schema).toMatchObject({
      type: 'object',
      required: ['inputs'],
      properties: { id: { type: 'string' }, inputs: { type: 'array' }, outputs: { type: 'array' } },
    })
    for (const status of ['4XX', '5XX']) {
      const { schema } = responses[status].content['application/json']
      expect(schema).toMatchObject({ type: 'object', properties: { error: { type: 'string' } } })
    }
  })

  it('tells what a model without a classifier answers', async () => {
    const { app } = await build()
    const { body } = await request(app.server).get('/openapi.json')
    const described = ['/classify', '/embed'].map((path) => body.paths[path].post.description)
    expect(described).toEqual([expect.stringContaining('`no_classifier`'), expect.stringContaining('no logits')])
  })

  it('asks for a key where one is needed, and only there', async () => {
    const security = async (apiKeys: string[]): Promise<[string, unknown][]> => {
      const { app } = await build({ apiKeys })
      const { body } = await request(app.server).get('/openapi.json')
      const scheme = body.components.securitySchemes.bearer
      expect(scheme).toEqual({ type: 'http', scheme: 'bearer' })
      const operations = Object.entries<Record<string, { security?: unknown }>>(body.paths)
      return operations.flatMap(([path, methods]) =>
        Object.values(methods).flatMap((each) => (each.security ? [[path, each.security] as [string, unknown]] : [])),
      )
    }
    const bearer = [{ bearer: [] }]
    const open = ['/v2/health/live', '/v2/health/ready']
    const secured = ['/info', '/classify', '/embed', ...OPEN_INFERENCE.filter((path) => !open.includes(path))]
    expect(Object.fromEntries(await security(['key']))).toEqual(
      Object.fromEntries(secured.map((path) => [path, bearer])),
    )
    expect(await security([])).toEqual([])
  })

  it('can be read in a browser without the network', async () => {
    const { app } = await build()
    const { text, status } = await request(app.server).get('/docs/')
    expect(status).toBe(200)
    expect(text).not.toMatch(/(src|href)="(https?:)?\/\//)
  })

  it.each([
    ['a name of no file', 'nothing.js'],
    ['a NUL', '%00'],
    ['a way out of the folder', '..%2f..%2fpackage.json'],
    ['the same in Windows’ way', '..%5cpackage.json'],
    ['9 KB', 'a'.repeat(9000)],
  ])('is no way to other files: %s behind /docs/static/ is 404', async (_what, name) => {
    const { app } = await build()
    const { status, body } = await request(app.server).get(`/docs/static/${name}`)
    expect({ status, code: body.code }).toEqual({ status: 404, code: 'not_found' })
  })
})

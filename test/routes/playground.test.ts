import request from 'supertest'
import { describe, expect, it } from 'vitest'
import { build } from '../helpers/build.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'

const FILES = { 'index.html': '<!doctype html><title>page</title>', 'assets/index-1a2b.js': 'export {}' }

async function served(options: Parameters<typeof build>[0] = {}) {
  const playground = temporaryFolder(FILES)
  const { app } = await build({ ...options, app: { playground } })
  return app.server
}

describe('the playground', () => {
  it('is the page at /, asked for again each time, under a strict policy', async () => {
    const { status, headers, text } = await request(await served()).get('/')
    expect([status, text]).toEqual([200, FILES['index.html']])
    expect(headers['content-type']).toContain('text/html')
    expect(headers['cache-control']).toBe('no-cache')
    expect(headers['content-security-policy']).toContain("default-src 'none'")
    expect(headers['content-security-policy']).not.toContain('unsafe')
    expect(headers['x-content-type-options']).toBe('nosniff')
  })

  it('has assets that never need to be asked for again', async () => {
    const { status, headers } = await request(await served()).get('/assets/index-1a2b.js')
    expect(status).toBe(200)
    expect(headers['content-type']).toContain('javascript')
    expect(headers['cache-control']).toBe('public, max-age=31536000, immutable')
  })

  it('is not sent again while it is the same', async () => {
    const server = await served()
    const { headers } = await request(server).get('/')
    const { status } = await request(server)
      .get('/')
      .set('if-none-match', headers.etag ?? '')
    expect(status).toBe(304)
  })

  it('is open where everything it asks for needs a key', async () => {
    const server = await served({ apiKeys: ['secret'] })
    expect((await request(server).get('/')).status).toBe(200)
    expect((await request(server).get('/info')).status).toBe(401)
  })

  it('takes GET and HEAD alone', async () => {
    const { status, headers } = await request(await served()).post('/')
    expect([status, headers.allow]).toEqual([405, 'GET, HEAD'])
  })

  it.each(['/assets/other.js', '/assets/', '/package.json', '/assets/..%2f..%2fpackage.json'])(
    'has nothing at %s',
    async (path) => {
      const { status, body } = await request(await served()).get(path)
      expect([status, body.code]).toEqual([404, 'not_found'])
    },
  )

  it('is not there when it is switched off', async () => {
    const { app } = await build()
    const { status, body } = await request(app.server).get('/')
    expect([status, body.code]).toEqual([404, 'not_found'])
  })
})

import { createHash } from 'node:crypto'
import request from 'supertest'
import { describe, expect, it } from 'vitest'
import { type ApiKey, authenticate, parseApiKey } from '../../src/server/api-keys.ts'
import { build } from '../helpers/build.ts'

const sha256 = (key: string): string => createHash('sha256').update(key).digest('hex')
const keys = (...entries: string[]): ApiKey[] => entries.map((entry, i) => parseApiKey(entry, i + 1) as ApiKey)

describe('an entry of API_KEYS', () => {
  it.each([
    ['secret', 'key-3', 'secret'],
    ['web:secret', 'web', 'secret'],
    ['web.app_2-b:se/cr+et==', 'web.app_2-b', 'se/cr+et=='],
    [`nightly:sha256:${sha256('secret')}`, 'nightly', 'secret'],
    [`nightly:sha256:${sha256('secret').toUpperCase()}`, 'nightly', 'secret'],
    [`sha256:${sha256('secret')}`, 'key-3', 'secret'],
    [`web:${sha256('secret')}`, 'web', sha256('secret')],
    ['schlüssel', 'key-3', 'schlüssel'],
  ])('%s is a key named %s', (entry, name, key) => {
    const parsed = parseApiKey(entry, 3)
    expect(parsed?.name).toBe(name)
    // Node hands a header on as Latin-1.
    const header = `Bearer ${Buffer.from(key).toString('latin1')}`
    expect(authenticate([parsed as ApiKey], header)).toBe(name)
    expect(authenticate([parsed as ApiKey], `Bearer ${key}x`)).toBeUndefined()
  })

  it.each([
    '',
    ':secret',
    'web:',
    'we b:secret',
    'web:se cret',
    'a:b:c',
    'sha256:secret',
    'web:sha256:',
    `web:sha256:${sha256('a').slice(1)}`,
    `web:sha256:${sha256('a')}0`,
    `${'n'.repeat(65)}:secret`,
    'n{}:secret',
  ])('is not %j', (entry) => {
    expect(parseApiKey(entry, 1)).toBeUndefined()
  })

  it('does not keep the key, so that nothing can print it', () => {
    expect(JSON.stringify(parseApiKey('web:hunter2', 1))).not.toContain('hunter2')
    expect(Object.keys(parseApiKey('web:hunter2', 1) as ApiKey)).toEqual(['name', 'sha256'])
  })
})

describe('authenticate', () => {
  it('finds whose key it is among several', () => {
    const all = keys('first', 'web:second', `nightly:sha256:${sha256('third')}`)
    const names = ['first', 'second', 'third'].map((key) => authenticate(all, `Bearer ${key}`))
    expect(names).toEqual(['key-1', 'web', 'nightly'])
  })

  it.each([undefined, '', 'Bearer', 'Bearer ', 'Basic second', 'second', 'Bearer second third', 'Bearer SECOND'])(
    'finds none in %j',
    (authorization) => {
      expect(authenticate(keys('second'), authorization)).toBeUndefined()
    },
  )

  it('takes a digest for no key', () => {
    expect(authenticate(keys(`web:sha256:${sha256('secret')}`), `Bearer ${sha256('secret')}`)).toBeUndefined()
  })
})

const TENSORS = 'application/octet-stream'

describe('the keys of a server', () => {
  const entries = ['plain', 'web:hunter2', `nightly:sha256:${sha256('correct-horse')}`]

  it.each([
    ['plain', 200],
    ['hunter2', 200],
    ['correct-horse', 200],
    ['web:hunter2', 401],
    [sha256('correct-horse'), 401],
    ['fourth', 401],
  ])('let in by the key alone: %s -> %i', async (key, status) => {
    const { app } = await build({ apiKeys: entries })
    const agent = request(app.server)
    expect((await agent.get('/info').set('authorization', `Bearer ${key}`)).status).toBe(status)
    const posted = agent.post('/embed').set('authorization', `Bearer ${key}`).type(TENSORS).send(Buffer.alloc(24))
    expect((await posted).status).toBe(status)
  })

  it('are in the log and the metrics by their names, and never themselves', async () => {
    const log: string[] = []
    const { app } = await build({ apiKeys: entries, log })
    const agent = request(app.server)
    for (const key of ['hunter2', 'correct-horse', 'correct-horse', 'swordfish']) {
      await agent.get('/info').set('authorization', `Bearer ${key}`)
    }
    const { text } = await agent.get('/metrics')
    expect(text).toContain('resnet_requests_by_key_total{key="key-1"} 0')
    expect(text).toContain('resnet_requests_by_key_total{key="web"} 1')
    expect(text).toContain('resnet_requests_by_key_total{key="nightly"} 2')
    const lines = log.map((line) => JSON.parse(line)).filter(({ route }) => route === '/info')
    expect(lines.map(({ api_key }) => api_key)).toEqual(['web', 'nightly', 'nightly', undefined])
    expect(log.join('') + text).not.toMatch(new RegExp(`hunter2|correct-horse|swordfish|${sha256('correct-horse')}`))
  })

  it('are refused before a body is read, and before an unknown model is told from a known one', async () => {
    const { app } = await build({ apiKeys: entries })
    const { status, body } = await request(app.server).post('/embed?model=cats').type('a/b').send('c')
    expect([status, body.code]).toEqual([401, 'unauthorized'])
  })
})

describe('METRICS_PUBLIC=false', () => {
  it('asks for a key at /metrics, and health stays open', async () => {
    const { app } = await build({ apiKeys: ['secret'], access: { metricsPublic: false } })
    const agent = request(app.server)
    expect((await agent.get('/metrics')).status).toBe(401)
    expect((await agent.get('/metrics').set('authorization', 'Bearer secret')).status).toBe(200)
    for (const path of ['/livez', '/readyz']) expect((await agent.get(path)).status).toBe(200)
  })
})

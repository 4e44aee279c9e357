import request from 'supertest'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { ServeError } from '../../src/errors.ts'
import { type BuildOptions, build } from '../helpers/build.ts'

const TENSORS = 'application/octet-stream'
const good = Buffer.alloc(24)

/** Two requests a minute. */
const limited = ({ access, ...options }: BuildOptions = {}) =>
  build({ ...options, access: { rateLimit: 2, ...access } })

function post(app: Awaited<ReturnType<typeof build>>['app'], headers: Record<string, string> = {}) {
  return request(app.server).post('/embed').set(headers).type(TENSORS).send(good)
}

afterEach(() => {
  vi.useRealTimers()
})

describe('RATE_LIMIT', () => {
  it('refuses what goes beyond it within a minute, with the time to come back', async () => {
    vi.useFakeTimers({ toFake: ['Date'] })
    const { app, model } = await limited()
    expect((await post(app)).headers['x-ratelimit-remaining']).toBe('1')
    vi.advanceTimersByTime(20_500)
    expect((await post(app)).status).toBe(200)
    const { status, body, headers } = await post(app)
    expect([status, body.code, body.title]).toEqual([429, 'rate_limited', 'Too many requests'])
    expect(body.detail).toBe('more than 2 requests in a minute')
    expect(headers['retry-after']).toBe('40')
    expect(headers['content-type']).toBe('application/problem+json; charset=utf-8')
    expect(model.calls).toHaveLength(2)
    vi.advanceTimersByTime(39_500)
    expect((await post(app)).status).toBe(200)
  })

  it('counts the routes together, and neither health nor /metrics', async () => {
    const { app } = await limited()
    const agent = request(app.server)
    expect((await agent.get('/info')).status).toBe(200)
    expect((await post(app)).status).toBe(200)
    expect((await agent.get('/info')).status).toBe(429)
    for (let i = 0; i < 3; i++) {
      for (const path of ['/livez', '/readyz', '/metrics', '/openapi.json']) {
        expect((await agent.get(path)).status).toBe(200)
      }
    }
  })

  it('spares /metrics behind a key too', async () => {
    const { app } = await limited({ apiKeys: ['key'], access: { metricsPublic: false } })
    for (let i = 0; i < 4; i++) {
      expect((await request(app.server).get('/metrics').set('authorization', 'Bearer key')).status).toBe(200)
    }
  })

  it('counts by key where there are keys, and does not count what has none', async () => {
    const { app } = await limited({ apiKeys: ['a:first', 'b:second'] })
    const by = async (key: string): Promise<number> => (await post(app, { authorization: `Bearer ${key}` })).status
    expect([await by('first'), await by('first'), await by('first')]).toEqual([200, 200, 429])
    for (let i = 0; i < 4; i++) expect(await by('wrong')).toBe(401)
    expect(await by('second')).toBe(200)
  })

  it('counts what is refused for overload too', async () => {
    const { app } = await limited({ services: { refusal: () => new ServeError('queue_full', 'full') } })
    expect([(await post(app)).status, (await post(app)).status, (await post(app)).status]).toEqual([503, 503, 429])
  })

  it('does not read the body of what it refuses, and keeps the connection', async () => {
    const { app } = await limited()
    const agent = request.agent(app.server)
    const broken = () => agent.post('/embed').type('application/json').send('{"inputs":')
    expect([(await broken()).status, (await broken()).status, (await broken()).status]).toEqual([400, 400, 429])
    expect((await agent.get('/livez')).status).toBe(200)
  })

  it('is counted as an error of its own, not as overload', async () => {
    const { app } = await limited({ app: { overloadStatus: 503 } })
    for (let i = 0; i < 3; i++) await post(app)
    const { text } = await request(app.server).get('/metrics')
    expect(text).toContain('resnet_request_errors_total{code="rate_limited"} 1')
    expect(text).not.toContain('resnet_refusals_total{reason="rate_limited"}')
  })

  it('is off by default', async () => {
    const { app } = await build()
    const { status, headers } = await post(app)
    expect([status, headers['x-ratelimit-limit']]).toEqual([200, undefined])
  })
})

describe('TRUST_PROXY', () => {
  const from = (address: string) => ({ 'x-forwarded-for': address })

  it('tells callers behind a trusted proxy apart, by the last address that is no proxy’s', async () => {
    const { app } = await limited({ access: { trustedProxies: ['loopback', '10.0.0.0/8'] } })
    for (let i = 0; i < 2; i++) expect((await post(app, from('192.0.2.1'))).status).toBe(200)
    expect((await post(app, from('192.0.2.1'))).status).toBe(429)
    // Whatever a client puts in front, and the proxies behind it, change nothing.
    expect((await post(app, from('203.0.113.9, 192.0.2.1, 10.1.2.3'))).status).toBe(429)
    expect((await post(app, from('192.0.2.2'))).status).toBe(200)
  })

  it('takes a network of IPv6 for one caller', async () => {
    const { app } = await limited({ access: { trustedProxies: ['loopback'] } })
    const statuses = []
    for (const host of ['1', '2', '3']) statuses.push((await post(app, from(`2001:db8::${host}`))).status)
    expect(statuses).toEqual([200, 200, 429])
  })

  it.each([{ trustedProxies: [] }, { trustedProxies: ['192.0.2.0/24'] }])(
    'believes nobody else: %j',
    async (access) => {
      const { app } = await limited({ access })
      const statuses = []
      for (const host of ['1', '2', '3']) statuses.push((await post(app, from(`198.51.100.${host}`))).status)
      expect(statuses).toEqual([200, 200, 429])
    },
  )
})

import request from 'supertest'
import { describe, expect, it } from 'vitest'
import type { Readiness } from '../../src/routes/services.ts'
import { build } from '../helpers/build.ts'

describe('GET /livez and /readyz', () => {
  it('says ready when it is', async () => {
    const { app } = await build()
    expect((await request(app.server).get('/livez')).status).toBe(200)
    expect((await request(app.server).get('/readyz')).body).toEqual({ status: 'ready' })
  })

  it.each<Readiness>(['starting', 'draining', 'engine_unavailable'])(
    'is alive and not ready while %s',
    async (state) => {
      const { app } = await build({ services: { readiness: () => state } })
      expect((await request(app.server).get('/livez')).status).toBe(200)
      const { status, body, headers } = await request(app.server).get('/readyz')
      expect([status, body.code]).toEqual([503, state])
      expect(headers['retry-after']).toMatch(/^\d+$/)
    },
  )

  it('needs no API key', async () => {
    const { app } = await build({ apiKeys: ['secret'] })
    for (const path of ['/livez', '/readyz', '/metrics', '/openapi.json', '/docs/']) {
      expect((await request(app.server).get(path)).status).toBe(200)
    }
    expect((await request(app.server).get('/info')).status).toBe(401)
    expect((await request(app.server).get('/info').set('authorization', 'Bearer secret')).status).toBe(200)
  })

  it.each([
    ['Bearer secret', 200],
    ['bearer secret', 200],
    ['BEARER secret', 200],
    ['bearer  secret', 200],
    ['bearer Secret', 401],
    ['bearer', 401],
    ['bearer ', 401],
    ['Bearersecret', 401],
    ['Basic secret', 401],
    ['secret', 401],
  ])('takes an API key whatever the case of its scheme, and nothing else: %s -> %i', async (authorization, status) => {
    const { app } = await build({ apiKeys: ['secret'] })
    expect((await request(app.server).get('/info').set('authorization', authorization)).status).toBe(status)
  })
})

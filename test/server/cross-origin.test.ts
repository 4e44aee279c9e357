import request from 'supertest'
import { describe, expect, it } from 'vitest'
import { build } from '../helpers/build.ts'

const APP = 'https://app.example.com'
const preflight = {
  origin: APP,
  'access-control-request-method': 'POST',
  'access-control-request-headers': 'authorization',
}
const allowing = (...corsOrigins: string[]) => build({ apiKeys: ['key'], access: { corsOrigins } })

describe('CORS_ORIGINS', () => {
  it('answers a preflight before a key is asked for', async () => {
    const { app } = await allowing('https://other.example.com', APP)
    const { status, headers } = await request(app.server).options('/embed').set(preflight)
    expect(status).toBe(204)
    expect(headers).toMatchObject({
      'access-control-allow-origin': APP,
      'access-control-allow-methods': 'GET, HEAD, POST',
      'access-control-allow-headers': 'authorization',
      'access-control-max-age': '600',
      'x-request-id': expect.any(String),
    })
    expect(headers['access-control-allow-credentials']).toBeUndefined()
    expect(headers.vary).toMatch(/origin/i)
  })

  it('lets pages of the origin read answers and errors, and the headers that come with them', async () => {
    const { app } = await allowing(APP)
    const agent = request(app.server)
    const answers = [
      await agent.get('/info').set({ origin: APP, authorization: 'Bearer key' }),
      await agent.get('/info').set({ origin: APP }),
      await agent.get('/nowhere').set({ origin: APP }),
      await agent.put('/embed').set({ origin: APP }),
      await agent.get('/livez').set({ origin: APP }),
    ]
    expect(answers.map(({ status }) => status)).toEqual([200, 401, 404, 405, 200])
    for (const { headers } of answers) {
      expect(headers['access-control-allow-origin']).toBe(APP)
      const exposed = headers['access-control-expose-headers']?.split(', ')
      expect(exposed).toEqual(
        expect.arrayContaining(['X-Request-Id', 'Server-Timing', 'Retry-After', 'X-Embedding-Space']),
      )
    }
  })

  it('allows nothing to other origins', async () => {
    const { app } = await allowing(APP)
    for (const origin of ['https://app.example.com.evil.example', 'http://app.example.com', 'null']) {
      const { headers } = await request(app.server)
        .options('/embed')
        .set({ ...preflight, origin })
      expect(headers['access-control-allow-origin']).toBeUndefined()
      const answer = await request(app.server).get('/livez').set({ origin })
      expect([answer.status, answer.headers['access-control-allow-origin']]).toEqual([200, undefined])
    }
  })

  it('allows every origin where * says so', async () => {
    const { app } = await allowing('*')
    const { headers } = await request(app.server).options('/embed').set(preflight)
    expect(headers['access-control-allow-origin']).toBe('*')
  })

  it('leaves 404 and 405 what they are', async () => {
    const { app } = await allowing(APP)
    const agent = request(app.server)
    const nowhere = await agent.get('/nowhere')
    expect([nowhere.status, nowhere.headers.allow]).toEqual([404, undefined])
    const wrong = await agent.delete('/embed')
    expect([wrong.status, wrong.headers.allow]).toEqual([405, 'POST'])
  })

  it('is not in the API’s description', async () => {
    const { app } = await allowing(APP)
    const { body } = await request(app.server).get('/openapi.json')
    expect(Object.keys(body.paths)).not.toContain('*')
    expect(Object.keys(body.paths['/embed'])).toEqual(['post'])
  })
})

describe('without CORS_ORIGINS', () => {
  it('a preflight is a wrong method like any other, and no answer is for other origins', async () => {
    const { app } = await build({ apiKeys: ['key'] })
    const { status, body, headers } = await request(app.server).options('/embed').set(preflight)
    expect([status, body.code, headers.allow]).toEqual([405, 'method_not_allowed', 'POST'])
    expect((await request(app.server).options('/nowhere').set(preflight)).status).toBe(404)
    const answer = await request(app.server).get('/livez').set({ origin: APP })
    expect(Object.keys(answer.headers).filter((name) => name.startsWith('access-control'))).toEqual([])
    expect(answer.headers.vary).toBeUndefined()
  })
})

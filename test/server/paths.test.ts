import request from 'supertest'
import { describe, expect, it } from 'vitest'
import { build } from '../helpers/build.ts'

const BODY = {
  inputs: [
    {
      tensor: [
        [0, 0, 0],
        [0, 0, 0],
      ],
    },
  ],
}

describe('a slash at the end of a path', () => {
  it.each(['/classify/', '/embed/', '/classify/?include=logits'])('changes nothing: POST %s', async (path) => {
    const { app } = await build()
    expect((await request(app.server).post(path).send(BODY)).status).toBe(200)
  })

  it.each(['/livez/', '/readyz/', '/info/', '/metrics/', '/docs/', '/openapi.json/'])(
    'changes nothing: GET %s',
    async (path) => {
      const { app } = await build()
      expect((await request(app.server).get(path)).status).toBe(200)
    },
  )

  it('changes nothing of what is refused: a key, a method, a body too large', async () => {
    const { app } = await build({ apiKeys: ['right'] })
    const agent = request(app.server)
    expect((await agent.post('/classify/').send(BODY)).status).toBe(401)
    const { status, headers } = await agent.get('/classify/')
    expect([status, headers.allow]).toEqual([405, 'POST'])
    const authorized = agent.post('/classify/').set('authorization', 'Bearer right')
    expect((await authorized.type('application/octet-stream').send(Buffer.alloc(200_000))).status).toBe(413)
    expect((await agent.post('/classify//').send(BODY)).status).toBe(404)
  })
})

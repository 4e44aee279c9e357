import { connect } from 'node:net'
import request from 'supertest'
import { describe, expect, it } from 'vitest'
import { build } from '../helpers/build.ts'
import { answer, FakeModel } from '../helpers/fake-model.ts'

const BODY = {
  inputs: [
    {
      tensor: [
        [1, 2, 3],
        [4, 5, 6],
      ],
    },
  ],
}

describe('X-Request-Id', () => {
  it('is echoed when sent, on success and on failure', async () => {
    const { app } = await build()
    for (const path of ['/livez', '/nowhere']) {
      const { headers } = await request(app.server).get(path).set('x-request-id', 'abc-123')
      expect(headers['x-request-id']).toBe('abc-123')
    }
  })

  it('is made up when missing, too long or unprintable', async () => {
    const { app } = await build()
    for (const sent of [undefined, 'x'.repeat(129), 'a b']) {
      const { headers } = await request(app.server)
        .get('/livez')
        .set(sent === undefined ? {} : { 'x-request-id': sent })
      expect(headers['x-request-id']).toMatch(/^[0-9a-f-]{36}$/)
    }
  })
})

describe('the log', () => {
  it('has one line a request, with its id, and nothing of its body', async () => {
    const log: string[] = []
    const { app } = await build({ log })
    await request(app.server)
      .post('/classify')
      .set('x-request-id', 'my-id')
      .send({ inputs: [{ tensor: 'SECRET' }] })
    const lines = log.map((line) => JSON.parse(line)).filter(({ msg }) => msg === 'request')
    expect(lines).toHaveLength(1)
    expect(lines[0]).toMatchObject({ reqId: 'my-id', route: '/classify', status: 400, code: 'malformed_body' })
    expect(log.join('')).not.toContain('SECRET')
  })

  it('holds the cause of an internal error, and the answer does not', async () => {
    const log: string[] = []
    const model = new FakeModel()
    model.respond = async () => {
      throw new TypeError('the database password is hunter2')
    }
    const { app } = await build({ log, models: [model] })
    const { status, text } = await request(app.server).post('/classify').send(BODY)
    expect(status).toBe(500)
    expect(text).not.toContain('hunter2')
    expect(log.join('')).toContain('hunter2')
  })
})

describe('a path that cannot be decoded', () => {
  it.each(['/%zz', '/classify%', '/%E0%A4%A', '/docs/%ff'])('is a request like any other: %s', async (path) => {
    const log: string[] = []
    const { app } = await build({ log })
    const { statusCode, headers, body } = await app.inject({ url: path, headers: { 'x-request-id': 'mine' } })
    expect([statusCode, JSON.parse(body).code, headers['x-request-id']]).toEqual([404, 'not_found', 'mine'])
    const twoHosts = await app.inject({ url: path, headers: { host: 'x@y/z' } })
    expect(twoHosts.statusCode).toBe(400)
    const { text } = await request(app.server).get('/metrics')
    expect(text).toContain('resnet_requests_total{route="none",method="GET",status="404"} 1')
    expect(log.map((line) => JSON.parse(line)).filter(({ msg }) => msg === 'request').length).toBeGreaterThanOrEqual(2)
  })
})

describe('a client that goes away', () => {
  it('cancels what it asked for', async () => {
    const model = new FakeModel()
    const canceled = new Promise<void>((resolve) => {
      model.respond = (_inputs, { signal }) => {
        client.destroy()
        return new Promise(() => signal?.addEventListener('abort', () => resolve()))
      }
    })
    const { app } = await build({ models: [model] })
    await app.listen({ port: 0, host: '127.0.0.1' })
    const body = JSON.stringify(BODY)
    const client = connect((app.server.address() as { port: number }).port, '127.0.0.1')
    client.write(
      `POST /classify HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
    )
    await canceled
  })

  it('has one line in the log and one count, as 499, whatever becomes of what it asked for', async () => {
    const log: string[] = []
    const model = new FakeModel()
    let answerAll = (): void => {}
    const late = new Promise<void>((resolve) => {
      answerAll = resolve
    })
    model.respond = async (inputs) => {
      await late
      return inputs.map(answer)
    }
    const { app } = await build({ models: [model], log })
    await app.listen({ port: 0, host: '127.0.0.1' })
    const body = JSON.stringify(BODY)
    for (let leaver = 1; leaver <= 5; leaver++) {
      const client = connect((app.server.address() as { port: number }).port, '127.0.0.1')
      client.write(
        `POST /classify HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
      )
      await expect.poll(() => model.calls.length, { timeout: 30_000, interval: 5 }).toBe(leaver)
      client.destroy()
    }
    const lines = () => log.map((line) => JSON.parse(line)).filter(({ msg }) => msg === 'request')
    await expect.poll(() => lines().length, { timeout: 30_000, interval: 5 }).toBe(5)
    answerAll()
    const { text } = await request(app.server).get('/metrics')
    for (const line of lines().slice(0, 5)) {
      expect(line).toMatchObject({ route: '/classify', status: 499, code: 'canceled' })
    }
    expect(text).toContain('resnet_requests_total{route="/classify",method="POST",status="499"} 5')
    expect(text).toContain('resnet_request_errors_total{code="canceled"} 5')
    expect(text).toMatch(/resnet_request_duration_seconds_count 5/)
  })

  it('is not confused with a request whose answer takes its time', async () => {
    const model = new FakeModel()
    let aborted: boolean | undefined
    model.respond = async (_inputs, { signal }) => {
      await new Promise((resolve) => setImmediate(resolve))
      aborted = signal?.aborted
      return []
    }
    const { app } = await build({ models: [model] })
    await request(app.server).post('/classify').send(BODY)
    expect(aborted).toBe(false)
  })
})

describe('while draining', () => {
  it('answers, and asks the client to leave the connection', async () => {
    const { app } = await build({ services: { readiness: () => 'draining' } })
    const { status, headers } = await request(app.server).post('/classify').send(BODY)
    expect([status, headers.connection]).toEqual([200, 'close'])
  })
})

import { once } from 'node:events'
import type { Socket } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { GOOD_BODY, GOOD_REQUEST, HASTY, listening, REQUEST_TIMEOUT_MS } from './raw-client.ts'

const head = (fields: string, line = 'POST /classify HTTP/1.1'): string =>
  `${line}\r\nhost: x\r\ncontent-type: application/octet-stream\r\n${fields}\r\n\r\n`

/** One server for all the attacks that end with their connection: the last finds it as the first did. */
let server: Awaited<ReturnType<typeof listening>>
let close = async (): Promise<void> => {}
beforeAll(async () => {
  server = await listening({
    onEnd: (end) => {
      close = end
    },
  })
})
afterAll(() => close())

describe('requests that two servers could read differently', () => {
  it.each([
    ['Content-Length with Transfer-Encoding', head('content-length: 5\r\ntransfer-encoding: chunked')],
    ['Transfer-Encoding with Content-Length', head('transfer-encoding: chunked\r\ncontent-length: 5')],
    ['two lengths', head('content-length: 5\r\ncontent-length: 6')],
    ['a list of lengths', head('content-length: 5, 5')],
    ['a signed length', head('content-length: +5')],
    ['a negative length', head('content-length: -5')],
    ['a hexadecimal length', head('content-length: 0x5')],
    ['a length with a space in it', head('content-length: 5 6')],
    ['a length beyond all numbers', head(`content-length: ${'9'.repeat(30)}`)],
    ['chunked not last', head('transfer-encoding: chunked, gzip')],
    ['chunked twice', head('transfer-encoding: chunked, chunked')],
    ['an encoding that hides chunked', head('transfer-encoding: xchunked')],
    ['two Transfer-Encoding lines', head('transfer-encoding: chunked\r\ntransfer-encoding: identity')],
    ['a space before the colon', head('content-length : 5')],
    ['a folded header', head('x-a: b\r\n content-length: 5')],
    ['a NUL in a header', head('x-a: b\0c')],
    ['a bare CR in a header', head('x-a: b\rcontent-length: 5')],
    ['a header without a name', head(': b')],
    ['a header without a colon', head('nonsense')],
    ['a chunk size that is none', `${head('transfer-encoding: chunked')}zz\r\n`],
    ['a negative chunk size', `${head('transfer-encoding: chunked')}-1\r\n`],
    ['a chunk size beyond all numbers', `${head('transfer-encoding: chunked')}${'f'.repeat(40)}\r\n`],
    ['a chunk longer than its size', `${head('transfer-encoding: chunked')}1\r\nabc\r\n0\r\n\r\n`],
    ['an encoding in front of chunked', `${head('transfer-encoding: gzip, chunked')}0\r\n\r\n`],
    ['no Host', 'GET /livez HTTP/1.1\r\n\r\n'],
    ['two Hosts', 'GET /livez HTTP/1.1\r\nhost: x\r\nhost: y\r\n\r\n'],
    ['a Host that is none', 'GET /livez HTTP/1.1\r\nhost: x@y/z\r\n\r\n'],
    ['more header lines than anybody needs', head('a: b\r\n'.repeat(99).trimEnd())],
    ['HTTP/0.9', 'GET /livez\r\n\r\n'],
    ['an HTTP version that is none', 'GET /livez HTTP/9.9\r\nhost: x\r\n\r\n'],
    ['a method that is none', 'STEAL /livez HTTP/1.1\r\nhost: x\r\n\r\n'],
    ['HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
    ['TLS', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'],
  ])('%s: one answer, 400, and the connection is closed', async (_name, bytes) => {
    const { open, othersAreServed } = server
    // Behind it, what a smuggler would hope to have answered.
    const attacker = await open(Buffer.concat([Buffer.from(bytes, 'latin1'), GOOD_REQUEST]))
    await attacker.closed
    expect(attacker.statuses()).toEqual([400])
    expect(await othersAreServed()).toBe(true)
  })

  it('2500 header lines are refused by Node or, where it drops some of them, by the server', async () => {
    const { open, othersAreServed } = server
    const attacker = await open(Buffer.concat([Buffer.from(head('a: b\r\n'.repeat(2500).trimEnd())), GOOD_REQUEST]))
    await attacker.closed
    expect([[400], [431]]).toContainEqual(attacker.statuses())
    expect(await othersAreServed()).toBe(true)
  })

  it.each([
    ['one', head(`x-a: ${'a'.repeat(20_000)}`)],
    ['many', head('x-a: b\r\n'.repeat(5000).trimEnd())],
    ['a path', `GET /${'a'.repeat(20_000)} HTTP/1.1\r\nhost: x\r\n\r\n`],
  ])('20 KB of headers, %s: 431, and the connection is closed', async (_name, bytes) => {
    const { open, othersAreServed } = server
    const attacker = await open(bytes)
    await attacker.closed
    expect(attacker.statuses()).toEqual([431])
    expect(await othersAreServed()).toBe(true)
  })
})

describe('paths and names made to lead elsewhere', () => {
  it.each([
    '/..%2f..%2fetc%2fpasswd',
    '/../../etc/passwd',
    '/livez%00',
    '/%2e%2e/livez',
    '//livez',
    '/classify/../livez',
    '/%c0%ae%c0%ae/',
    `/${'a'.repeat(10_000)}`,
    '/classify?model=..%2f..%2fdigits',
    '/classify?model=fake%00',
    '/classify?model=__proto__',
    '/classify?model=constructor',
    `/classify?model=${'m'.repeat(10_000)}`,
    '/classify?model=fake&version=..%2f1',
    `/classify?model=fake&version=${'1'.repeat(10_000)}`,
  ])('%s is 404', async (path) => {
    const { open } = server
    const { answers, statuses } = await open(
      Buffer.concat([
        Buffer.from(head(`content-length: ${GOOD_BODY.length}`, `POST ${path} HTTP/1.1`)),
        GOOD_BODY,
        GOOD_REQUEST,
      ]),
    )
    await answers(2)
    // The second on the same connection: what was refused has not upset it.
    expect(statuses()).toEqual([404, 200])
  })
})

describe('slow clients', () => {
  it('get 408 and are closed, however much they have sent and go on sending, while others are served', async () => {
    const { open, othersAreServed } = await listening(HASTY)
    const slow = await Promise.all(
      [
        '',
        'POST /classify HTTP/1.1\r\nhost: x\r\n',
        `${head('content-length: 24')}abc`,
        `${head('transfer-encoding: chunked')}3\r\nabc\r\n`,
        'GET /livez HTTP/1.1\r\nhost: x\r\nx-a: ',
      ].map((bytes) => open(bytes)),
    )
    const drip = setInterval(() => slow.at(-1)?.socket.write('a'), 100)
    expect(await othersAreServed()).toBe(true)
    await Promise.all(slow.map(({ closed }) => closed))
    clearInterval(drip)
    expect(slow.map(({ statuses }) => statuses())).toEqual(slow.map(() => [408]))
  })

  it('that never read their answers have few of them made, and are closed', async () => {
    const { app, open, othersAreServed } = await listening()
    expect(app.server.timeout).toBe(REQUEST_TIMEOUT_MS + 5000)
    expect(await othersAreServed()).toBe(true)
    app.server.setTimeout(1000)
    const accepted = once(app.server, 'connection') as Promise<[Socket]>
    const greedy = await open()
    const [serverSide] = await accepted
    const closed = new Promise((resolve) => serverSide.once('close', resolve))
    greedy.socket.pause()
    greedy.socket.write('GET /docs/static/swagger-ui-bundle.js HTTP/1.1\r\nhost: x\r\n\r\n'.repeat(100))
    await closed
    // The answers to all of them would be more than a hundred megabytes.
    expect(serverSide.bytesWritten).toBeLessThan(20_000_000)
  })
})

describe('many connections', () => {
  it('a thousand that say nothing do no harm, and are closed', async () => {
    const { open, othersAreServed, app } = await listening(HASTY)
    const idle = await Promise.all(Array.from({ length: 1000 }, () => open()))
    expect(await othersAreServed()).toBe(true)
    await Promise.all(idle.map(({ closed }) => closed))
    const left = await new Promise((resolve) => app.server.getConnections((_error, count) => resolve(count)))
    expect(left).toBe(0)
  })

  it('beyond the limit are closed at once, and those within it served', async () => {
    const { open } = await listening({ app: { connections: { maximum: 2, maxRequests: 0, keepAliveTimeoutMs: 5000 } } })
    const [first] = [await open(), await open()]
    await (await open()).closed
    first.socket.write(GOOD_REQUEST)
    await first.answers(1)
    expect(first.statuses()).toEqual([200])
  })

  it('are asked to end after so many requests', async () => {
    const { open } = await listening({ app: { connections: { maximum: 9, maxRequests: 3, keepAliveTimeoutMs: 5000 } } })
    const { received, socket, answers, statuses } = await open()
    for (let i = 1; i <= 3; i++) {
      socket.write(GOOD_REQUEST)
      await answers(i)
    }
    expect(statuses()).toEqual([200, 200, 200])
    expect(received().map(({ headers }) => headers.get('connection'))).toEqual(['keep-alive', 'keep-alive', 'close'])
  })
})

describe('unusual, and allowed', () => {
  it('a hundred requests at once on one connection are answered in order', async () => {
    const { open } = server
    const { answers, statuses } = await open(Buffer.concat(Array.from({ length: 100 }, () => GOOD_REQUEST)))
    await answers(100)
    expect(statuses()).toEqual(new Array(100).fill(200))
  })

  it('a client that closes its side after its request gets its answer', async () => {
    const { open } = server
    const { socket, closed, statuses } = await open()
    socket.end(GOOD_REQUEST)
    await closed
    expect(statuses()).toEqual([200])
  })

  it('a client that expects what nobody knows is served', async () => {
    const { open } = server
    const { answers, statuses } = await open(
      Buffer.concat([Buffer.from(head('content-length: 24\r\nexpect: the-best')), GOOD_BODY]),
    )
    await answers(1)
    expect(statuses()).toEqual([200])
  })

  it('a client that waits for 100 Continue is told to go on', async () => {
    const { open } = server
    const { socket, answers, statuses } = await open(head('content-length: 24\r\nexpect: 100-continue'))
    await answers(1)
    socket.write(GOOD_BODY)
    await answers(2)
    expect(statuses()).toEqual([100, 200])
  })

  it('a client of HTTP/1.0 is not told to go on, which it would take for the answer', async () => {
    const { open } = server
    const request = head('content-length: 24\r\nexpect: 100-continue', 'POST /classify HTTP/1.0')
    const { closed, statuses } = await open(Buffer.concat([Buffer.from(request), GOOD_BODY]))
    await closed
    expect(statuses()).toEqual([200])
  })

  it.each([
    ['too large', 'content-length: 20000000', 413],
    ['out of time', 'content-length: 24\r\nx-request-timeout-ms: 0', 504],
    ['in an encoding', 'content-length: 24\r\ncontent-encoding: gzip', 415],
  ])('a client that waits for 100 Continue hears at once that its body is %s', async (_, headers, status) => {
    const { open } = server
    const { closed, statuses } = await open(head(`${headers}\r\nexpect: 100-continue`))
    await closed
    expect(statuses()).toEqual([status])
  })
})

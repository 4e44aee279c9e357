import { describe, expect, it, vi } from 'vitest'
import { type ClientOptions, ResnetClient } from '../../src/client/index.ts'
import { ServeError } from '../../src/errors.ts'
import { FakeClock } from '../helpers/fake-clock.ts'
import { FakeModel } from '../helpers/fake-model.ts'
import { HurriedClock, listening, tensor } from './listening.ts'

const refusal = (retryAfter: string | undefined, status = 503): Response => {
  const headers = { 'content-type': 'application/problem+json', ...(retryAfter && { 'retry-after': retryAfter }) }
  return new Response(JSON.stringify({ code: 'queue_full', detail: 'full', request_id: 'r1' }), { status, headers })
}
const noConnection = (): never => {
  throw new TypeError('fetch failed')
}
const info = (): Response => new Response('{"name":"resnet-serve"}')

/** What becomes of a request that gets these answers in turn, and how often it asks. */
async function ask(answers: (() => Response | Promise<Response>)[], options: Partial<ClientOptions> = {}) {
  const clock = new HurriedClock(options.timeoutMs)
  let asked = 0
  const fetch = async (): Promise<Response> => {
    const next = answers[asked++]
    if (next === undefined) throw new Error('asked too often')
    return next()
  }
  const client = new ResnetClient({ baseUrl: 'http://x', clock, fetch, random: () => 0.5, ...options })
  const outcome = await client.info().catch((error) => error)
  return { waits: clock.waits, asked, outcome }
}

describe('what was not computed is asked again', () => {
  it.each([503, 429])('after %i, when Retry-After is over and a little more by chance', async (status) => {
    const { waits, outcome } = await ask([() => refusal('3', status), () => refusal('1', status), info])
    expect(outcome).toMatchObject({ name: 'resnet-serve' })
    expect(waits).toEqual([3062.5, 1125])
  })

  it('when Retry-After is a date, then', async () => {
    const { waits, outcome } = await ask([() => refusal(new Date(Date.now() + 3_600_000).toUTCString()), info], {
      timeoutMs: 7_200_000,
    })
    expect(outcome).toMatchObject({ name: 'resnet-serve' })
    expect(Math.round((waits[0] ?? 0) / 600_000)).toBe(6)
  })

  it('when no connection came about, after waits that double up to a bound and hold some chance', async () => {
    const { waits, outcome } = await ask([...Array.from({ length: 8 }, () => noConnection), info], { maxRetries: 8 })
    expect(outcome).toMatchObject({ name: 'resnet-serve' })
    expect(waits).toEqual([187.5, 375, 750, 1500, 3000, 6000, 6000, 6000])
  })

  it('so often, and then its last failure is told', async () => {
    const { asked, outcome } = await ask([noConnection, () => refusal('2'), info], { maxRetries: 1 })
    expect(outcome).toMatchObject({ code: 'queue_full', status: 503, retryAfterS: 2, requestId: 'r1' })
    expect(asked).toBe(2)
  })

  it('never where waiting would take longer than the request may', async () => {
    const { asked, waits, outcome } = await ask([() => refusal('30'), info], { timeoutMs: 10_000 })
    expect(outcome).toMatchObject({ code: 'queue_full', retryAfterS: 30 })
    expect([asked, waits]).toEqual([1, []])
  })

  it('not when the caller aborts while it waits', async () => {
    const controller = new AbortController()
    const clock = new FakeClock()
    const client = new ResnetClient({ baseUrl: 'http://x', clock, fetch: async () => refusal('5') })
    const outcome = client.info({ signal: controller.signal }).catch((error) => error)
    await vi.waitFor(() => expect(clock.pending).toBe(2))
    controller.abort()
    expect(await outcome).toMatchObject({ code: 'aborted' })
    expect(clock.pending).toBe(0)
  })

  it('with the time that is left', async () => {
    const allowed: (string | null)[] = []
    const clock = new HurriedClock()
    let now = 0
    const ticking = { now: () => now, after: clock.after.bind(clock) }
    const fetch = async (_: unknown, init?: RequestInit): Promise<Response> => {
      allowed.push(new Headers(init?.headers).get('x-request-timeout-ms'))
      now += 7000
      return allowed.length === 1 ? refusal('0') : info()
    }
    await new ResnetClient({ baseUrl: 'http://x', clock: ticking, fetch }).info()
    expect(allowed).toEqual(['60000', '53000'])
  })
})

describe('what may have been computed is not asked again', () => {
  it.each([
    ['a refusal without Retry-After', () => refusal(undefined), 'queue_full'],
    ['a 500', () => new Response('{"code":"internal","detail":""}', { status: 500 }), 'internal'],
    ['a 504', () => refusal('1', 504), 'queue_full'],
    ['a proxy’s 502', () => new Response('<html>', { status: 502 }), 'invalid_answer'],
    ['an answer that is not JSON', () => new Response('<html>'), 'invalid_answer'],
    ['an answer that breaks off', () => new Response(brokenOff()), 'connection_failed'],
    ['a fetch that fails in its own way', () => Promise.reject(new DOMException('no')), 'connection_failed'],
  ])('%s', async (_, answer, code) => {
    const { asked, outcome } = await ask([answer, info])
    expect(outcome).toMatchObject({ name: 'ResnetServeError', code })
    expect(asked).toBe(1)
  })
})

/** A body that ends with its connection. */
function brokenOff(): ReadableStream {
  return new ReadableStream({
    start: (controller) => controller.error(new TypeError('terminated')),
  })
}

it('the real server’s refusal is waited out, and its work computed once', async () => {
  let refusals = 0
  const full = () => (refusals++ < 2 ? new ServeError('queue_full', 'full', { retryAfterS: 4 }) : undefined)
  const clock = new HurriedClock()
  const model = new FakeModel()
  const { client } = await listening({ models: [model], services: { refusal: full } }, { clock })
  expect((await client.embed(tensor(0, 0, 8))).results[0]?.embedding).toEqual(Float32Array.of(8, 0, 0, 0))
  expect(clock.waits.map((ms) => Math.floor(ms / 1000))).toEqual([4, 4])
  expect(model.calls).toHaveLength(1)
})

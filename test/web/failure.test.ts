import { describe, expect, it } from 'vitest'
import { failureOf, failureToFetch } from '../../web/src/failure.ts'

const problem = (status: number, detail: string, headers: Record<string, string> = {}): Response =>
  new Response(JSON.stringify({ detail }), { status, headers })

async function said(response: Response) {
  const { kind, message, retryMs } = await failureOf(response)
  return { kind, message, retryMs }
}

describe('a failure', () => {
  it('of overload says when the server is asked again', async () => {
    expect(await said(problem(503, 'the queue is full', { 'retry-after': '3' }))).toEqual({
      kind: 'again',
      message: 'The server cannot answer now: the queue is full. It is asked again in 3 s.',
      retryMs: 3000,
    })
    expect(await said(problem(429, 'too many', { 'retry-after': '60' }))).toMatchObject({
      kind: 'again',
      retryMs: 60_000,
    })
  })

  it('of the key asks for one', async () => {
    expect(await said(problem(401, 'send Authorization'))).toMatchObject({ kind: 'key', retryMs: undefined })
  })

  it.each([
    [422, 'this is no PNG', 'The server says no: this is no PNG.'],
    [504, 'the deadline passed', 'The server took too long: the deadline passed.'],
    [500, 'broken.', 'The server failed: broken.'],
  ])('of status %i is a sentence', async (status, detail, message) => {
    expect(await said(problem(status, detail))).toEqual({ kind: 'refused', message, retryMs: undefined })
  })

  it.each([
    ['a page of a proxy', '<html>'],
    ['JSON that is no problem', '{"detail":7}'],
    ['null', 'null'],
  ])('that a proxy tells by %s has its status', async (_, body) => {
    const response = new Response(body, { status: 502, statusText: 'Bad Gateway' })
    expect((await said(response)).message).toBe('The server answered 502 Bad Gateway.')
  })

  it('to reach the server is told from a request that was canceled', () => {
    expect(failureToFetch(new TypeError('Failed to fetch')).kind).toBe('unreachable')
    expect(failureToFetch(new DOMException('', 'AbortError')).kind).toBe('canceled')
  })
})

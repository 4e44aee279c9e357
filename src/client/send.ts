import { abortedBy, ResnetServeError } from './error.ts'

/** Time as a dependency, so that tests need not wait. */
export interface Clock {
  /** Milliseconds, monotonic. */
  now(): number
  /** Calls back once after `ms`; the returned function cancels that. */
  after(ms: number, callback: () => void): () => void
}

/** A longer timer would fire at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1

export const systemClock: Clock = {
  now: () => performance.now(),
  after(ms, callback) {
    const timer = setTimeout(callback, Math.min(ms, LONGEST_TIMER_MS))
    return () => clearTimeout(timer)
  },
}

export interface Transport {
  fetch: typeof fetch
  clock: Clock
  /** From 0 to 1, as Math.random. */
  random: () => number
  maxRetries: number
}

export interface Call {
  url: string
  method: 'GET' | 'POST'
  headers: Headers
  body?: Uint8Array<ArrayBuffer> | Blob | FormData
  /** For all attempts and the waits between them. */
  timeoutMs: number
  signal: AbortSignal | undefined
}

export interface Answer {
  headers: Headers
  body: ArrayBuffer
}

/** The wait before the first retry and the longest one (ms); it doubles in between, and up to half of it is chance. */
const [FIRST_BACKOFF_MS, LONGEST_BACKOFF_MS] = [250, 8000]

/**
 * The whole body of a 2xx answer. Sends again only what was not computed: when there was no answer at all (inference changes
 * nothing, so that it may be computed twice), and when a 429 or 503 has Retry-After, no sooner than that. Gives up at once
 * where the wait would outlast `timeoutMs`. Throws ResnetServeError.
 */
export async function send(call: Call, { fetch, clock, random, maxRetries }: Transport): Promise<Answer> {
  const deadline = clock.now() + call.timeoutMs
  const { signal, stop } = patience(call, clock)
  try {
    for (let retries = 0; ; retries++) {
      const outcome = await attempt(call, fetch, deadline - clock.now(), signal)
      if (!(outcome instanceof ResnetServeError)) return outcome
      const backoffMs = Math.min(LONGEST_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** retries)
      const waitMs = Math.max((outcome.retryAfterS ?? 0) * 1000, backoffMs / 2) + (random() * backoffMs) / 2
      if (retries >= maxRetries || waitMs >= deadline - clock.now()) throw outcome
      await pause(waitMs, clock, signal)
    }
  } finally {
    stop()
  }
}

/** Aborts when time is up or the caller aborts; its reason is the error to throw. */
function patience({ timeoutMs, signal }: Call, clock: Clock): { signal: AbortSignal; stop: () => void } {
  const controller = new AbortController()
  const onAbort = (): void => controller.abort(abortedBy(signal))
  const cancelTimer = clock.after(timeoutMs, () =>
    controller.abort(new ResnetServeError('timeout', `no answer within ${timeoutMs} ms`)),
  )
  signal?.addEventListener('abort', onAbort)
  if (signal?.aborted) onAbort()
  const stop = (): void => {
    cancelTimer()
    signal?.removeEventListener('abort', onAbort)
  }
  return { signal: controller.signal, stop }
}

/** The answer; or, returned, a failure after which the request may be sent again. Any other failure is thrown. */
async function attempt(
  { url, method, headers, body }: Call,
  fetch: Transport['fetch'],
  leftMs: number,
  signal: AbortSignal,
): Promise<Answer | ResnetServeError> {
  signal.throwIfAborted()
  // The server need not compute what nobody waits for any more.
  if (Number.isFinite(leftMs)) headers.set('x-request-timeout-ms', String(Math.max(1, Math.floor(leftMs))))
  let response: Response
  try {
    response = await fetch(url, { method, headers, signal, ...(body && { body }) })
  } catch (cause) {
    signal.throwIfAborted()
    const failure = new ResnetServeError('connection_failed', `no answer from ${url}`, { cause })
    if (cause instanceof TypeError) return failure
    throw failure
  }
  let answer: ArrayBuffer
  try {
    answer = await response.arrayBuffer()
  } catch (cause) {
    signal.throwIfAborted()
    throw new ResnetServeError('connection_failed', 'the answer broke off', { status: response.status, cause })
  }
  if (response.ok) return { headers: response.headers, body: answer }
  const failure = failureOf(response, answer)
  if ((response.status === 503 || response.status === 429) && failure.retryAfterS !== undefined) return failure
  throw failure
}

/** What the server's problem details say (RFC 9457), or a proxy's answer in its place. */
function failureOf({ status, headers }: Response, body: ArrayBuffer): ResnetServeError {
  const text = new TextDecoder().decode(body)
  const facts = { status, retryAfterS: retryAfterS(headers), requestId: headers.get('x-request-id') ?? undefined }
  try {
    const { code, detail, request_id: requestId = facts.requestId, index } = JSON.parse(text)
    if (typeof code === 'string') return new ResnetServeError(code, String(detail), { ...facts, requestId, index })
  } catch {
    // Not JSON: see below.
  }
  return new ResnetServeError('invalid_answer', `HTTP ${status}: ${text.slice(0, 200)}`, facts)
}

/** Seconds, or a date (RFC 9110, 10.2.3). */
function retryAfterS(headers: Headers): number | undefined {
  const value = headers.get('retry-after')
  if (value === null) return undefined
  const seconds = /^\d+$/.test(value) ? Number(value) : (Date.parse(value) - Date.now()) / 1000
  return Number.isNaN(seconds) ? undefined : Math.max(0, seconds)
}

function pause(ms: number, clock: Clock, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const cancel = clock.after(ms, resolve)
    const onAbort = (): void => {
      cancel()
      reject(signal.reason)
    }
    signal.addEventListener('abort', onAbort, { once: true })
    if (signal.aborted) onAbort()
  })
}

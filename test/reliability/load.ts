import { Agent, request } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'

/** What became of one request. Times are milliseconds, on performance.now()'s scale. */
export interface Outcome {
  startedAt: number
  ms: number
  /** 0 when the connection failed. */
  status: number
  /** The error code of a refusal, or the connection's failure. */
  code: string | undefined
  retryAfter: string | undefined
}

export interface LoadOptions {
  url: string
  contentType: string
  /** Called for each request. */
  body: () => Buffer
  headers?: Record<string, string>
  /** What is wrong with an answer of status 200, given its body; it becomes the outcome's code. */
  judge?: (body: string) => string | undefined
}

/** Sends requests over connections that are kept, and remembers every outcome. */
export class Load {
  readonly outcomes: Outcome[] = []
  readonly #options: LoadOptions
  readonly #agent = new Agent({ keepAlive: true, maxSockets: Number.POSITIVE_INFINITY })
  readonly #running = new Set<Promise<void>>()
  #stopped = false

  constructor(options: LoadOptions) {
    this.#options = options
  }

  /** So many clients, each of which sends its next request when it has its answer, until `stop`. */
  clients(count: number): void {
    const run = async (): Promise<void> => {
      while (!this.#stopped) await this.#send()
    }
    for (let i = 0; i < count; i++) this.#track(run())
  }

  /** Requests at a fixed rate, whatever becomes of them (open loop), for so long. */
  async rate(perSecond: number, durationMs: number): Promise<void> {
    const start = performance.now()
    for (let sent = 0; ; ) {
      const elapsed = performance.now() - start
      if (elapsed >= durationMs || this.#stopped) return
      for (const due = (elapsed * perSecond) / 1000; sent < due; sent++) this.#track(this.#send())
      await sleep(1)
    }
  }

  /** Sends no more, and waits for what is under way. */
  async stop(): Promise<void> {
    this.#stopped = true
    while (this.#running.size > 0) await Promise.all(this.#running)
    this.#agent.destroy()
  }

  #track(work: Promise<void>): void {
    this.#running.add(work)
    void work.then(() => this.#running.delete(work))
  }

  #send(): Promise<void> {
    const { url, contentType, body, headers, judge } = this.#options
    const bytes = body()
    const startedAt = performance.now()
    return new Promise((resolve) => {
      let done = false
      const end = (status: number, code?: string, retryAfter?: string): void => {
        if (done) return
        done = true
        this.outcomes.push({ startedAt, ms: performance.now() - startedAt, status, code, retryAfter })
        resolve()
      }
      const sent = request(url, {
        method: 'POST',
        agent: this.#agent,
        headers: { ...headers, 'content-type': contentType, 'content-length': bytes.length },
      })
      sent.on('error', (error: NodeJS.ErrnoException) => end(0, error.code ?? error.message))
      sent.on('response', (answer) => {
        const status = answer.statusCode ?? 0
        let text = ''
        answer.on('data', (chunk) => {
          if (status !== 200 || judge) text += chunk
        })
        answer.on('aborted', () => end(0, 'aborted'))
        answer.on('error', () => end(0, 'aborted'))
        answer.on('end', () => {
          const retryAfter = answer.headers['retry-after']
          end(status, status === 200 ? judge?.(text) : codeOf(text), retryAfter)
        })
      })
      sent.end(bytes)
    })
  }
}

function codeOf(text: string): string {
  try {
    return (JSON.parse(text) as { code?: string }).code ?? 'none'
  } catch {
    return 'no problem'
  }
}

/** How many outcomes of each kind: `200`, `503 queue_full`, `0 ECONNRESET`. */
export function tally(outcomes: Outcome[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const { status, code } of outcomes) {
    const kind = code === undefined ? String(status) : `${status} ${code}`
    counts[kind] = (counts[kind] ?? 0) + 1
  }
  return counts
}

/** Milliseconds that the share `p` of the outcomes did not exceed; NaN of none. */
export function percentileMs(outcomes: Outcome[], p: number): number {
  const sorted = outcomes.map(({ ms }) => ms).sort((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil(p * sorted.length) - 1)] ?? Number.NaN
}

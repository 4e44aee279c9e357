import autocannon from 'autocannon'
import { answerJob } from './child-process.ts'
import type { LoadJob, LoadResult } from './http-load.ts'
import { type Answer, windowOf } from './statistics.ts'

const ANSWER_TIMEOUT_S = 30
/** Connection errors after which the run ends: without a limit, a dead server is asked again without a pause. */
const MAX_CONNECTION_ERRORS = 100
/** How often autocannon looks whether its time is up; windows are cut by the times of the answers. */
const CHECK_INTERVAL_MS = 50

answerJob<LoadJob, LoadResult>(async (job) => {
  const { clients, timing } = job
  const { warmupS, windowS, windows } = timing
  const answers: Answer[] = []
  const errors: Record<string, number> = {}
  const count = (error: string, times = 1): void => {
    errors[error] = (errors[error] ?? 0) + times
  }

  let responses = 0
  const start = performance.now()
  const { requests, errors: failed } = await drive(job, (instance) => {
    instance.on('response', (_client, status, _bytes, latencyMs) => {
      responses++
      if (status === 200) answers.push({ atMs: performance.now() - start, latencyMs })
      else count(`status ${status}`)
    })
    instance.on('reqError', (error: Error) => count(error.message))
  })

  // Each connection is closed with one request in flight; more without an answer than that were dropped by the server.
  const dropped = requests.sent - responses - failed - clients
  if (dropped > 0) count('connection closed without an answer', dropped)
  return {
    windows: Array.from({ length: windows }, (_, i) => {
      const fromMs = (warmupS + windowS * i) * 1000
      return windowOf(answers, fromMs, fromMs + windowS * 1000)
    }),
    answered: answers.length,
    errors,
  }
})

function drive({ url, payloads, clients, timing }: LoadJob, listen: (instance: autocannon.Instance) => void) {
  let connection = 0
  return new Promise<autocannon.Result>((resolve, reject) => {
    const options: autocannon.Options = {
      url,
      method: 'POST',
      connections: clients,
      duration: timing.warmupS + timing.windowS * timing.windows,
      sampleInt: CHECK_INTERVAL_MS,
      timeout: ANSWER_TIMEOUT_S,
      bailout: MAX_CONNECTION_ERRORS,
      // The server computes identical inputs in flight once. No two connections share an input, so none are identical.
      setupClient(client) {
        const own = connection++
        const share = payloads.filter((_, i) => i % clients === own)
        client.setRequests(share.map(({ contentType, body }) => ({ headers: { 'content-type': contentType }, body })))
      },
    }
    listen(autocannon(options, (error, result) => (error ? reject(error) : resolve(result))))
  })
}

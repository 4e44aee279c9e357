import { systemClock } from '../../src/batching/clock.ts'
import { answerJob } from '../child-process.ts'
import { type Answer, dueWindowOf, windowOf } from '../statistics.ts'
import { Clients } from './clients.ts'
import { requestBytes } from './connection.ts'
import type { LoadJob, LoadResult } from './load.ts'
import { runLoad } from './run-load.ts'

answerJob<LoadJob, LoadResult>(async (job) => {
  const { clients, ratePerS, timing } = job
  const { warmupS, windowS, windows } = timing
  const requests = shareOut(job)
  const answers: Answer[] = []
  const errors: Record<string, number> = {}
  const count = (error: string, times: number): void => {
    errors[error] = (errors[error] ?? 0) + times
  }

  const cpu = process.cpuUsage()
  const start = systemClock.now()
  await runLoad({
    clock: systemClock,
    clients,
    ratePerS,
    durationMs: (warmupS + windowS * windows) * 1000,
    open: (events) => new Clients({ url: new URL(job.url), requests, ...events }),
    onAnswer(status, dueAt) {
      const now = systemClock.now()
      if (status === 200) answers.push({ atMs: now - start, latencyMs: now - dueAt })
      else count(`status ${status}`, 1)
    },
    onError: count,
  })
  const { user, system } = process.cpuUsage(cpu)

  return {
    windows: Array.from({ length: windows }, (_, i) => {
      const fromMs = (warmupS + windowS * i) * 1000
      const cut = ratePerS === undefined ? windowOf : dueWindowOf
      return cut(answers, fromMs, fromMs + windowS * 1000)
    }),
    answered: answers.length,
    errors,
    generatorUs: (user + system) / answers.length,
  }
})

/** With a cache, the server computes equal inputs in flight once. No two clients share an input, so none are equal. */
function shareOut({ url, payloads, headers, clients }: LoadJob): Buffer[][] {
  const requests = payloads.map(({ contentType, body }) =>
    requestBytes(new URL(url), { 'content-type': contentType, ...headers }, body),
  )
  return Array.from({ length: clients }, (_, client) => requests.filter((_, i) => i % clients === client))
}

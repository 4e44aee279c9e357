import { systemClock } from '../../src/batching/clock.ts'
import { answerJobs } from '../child-process.ts'
import { seededRandom } from '../inputs.ts'
import { type Answer, dueWindowOf, windowOf } from '../statistics.ts'
import { Clients } from './clients.ts'
import { requestBytes } from './connection.ts'
import type { LoadJob, LoadResult, LoadTime } from './load.ts'
import { runLoad } from './run-load.ts'
import { even, poisson } from './schedule.ts'

let run = (_: LoadTime): Promise<LoadResult> => Promise.reject(new Error('the first message is the job'))

answerJobs<LoadJob | LoadTime, LoadResult | object>(async (message) => {
  if (!('payloads' in message)) return run(message)
  const requests = shareOut(message)
  run = (time) => runOnce(message, requests, time)
  return {}
})

async function runOnce(job: LoadJob, requests: Buffer[][], { leadS, windowS }: LoadTime) {
  const { url, clients, ratePerS } = job
  const answers: Answer[] = []
  const errors: Record<string, number> = {}
  const count = (error: string, times: number): void => {
    errors[error] = (errors[error] ?? 0) + times
  }

  const cpu = process.cpuUsage()
  const start = systemClock.now()
  const [fromMs, toMs] = [leadS * 1000, (leadS + windowS) * 1000]
  await runLoad({
    clock: systemClock,
    clients,
    arrivals: arrivalsOf(job, toMs),
    durationMs: toMs,
    open: (events) => new Clients({ url: new URL(url), requests, ...events }),
    onAnswer(status, dueAt) {
      const now = systemClock.now()
      if (status === 200) answers.push({ atMs: now - start, latencyMs: now - dueAt })
      else count(`status ${status}`, 1)
    },
    onError: count,
  })
  const { user, system } = process.cpuUsage(cpu)
  return {
    window: (ratePerS === undefined ? windowOf : dueWindowOf)(answers, fromMs, toMs),
    answered: answers.length,
    errors,
    generatorUs: (user + system) / answers.length,
  }
}

function arrivalsOf({ ratePerS, poissonSeed }: LoadJob, durationMs: number): Iterable<number> | undefined {
  if (ratePerS === undefined) return undefined
  if (poissonSeed === undefined) return even(ratePerS, durationMs)
  return poisson(ratePerS, durationMs, seededRandom(poissonSeed))
}

/** With a cache, the server computes equal inputs in flight once. No two clients share an input, so none are equal. */
function shareOut({ url, payloads, headers, clients }: LoadJob): Buffer[][] {
  const requests = payloads.map(({ contentType, body }) =>
    requestBytes(new URL(url), { 'content-type': contentType, ...headers }, body),
  )
  return Array.from({ length: clients }, (_, client) => requests.filter((_, i) => i % clients === client))
}

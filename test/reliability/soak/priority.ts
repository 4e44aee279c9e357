import { setTimeout as sleep } from 'node:timers/promises'
import { Load, type Outcome, percentileMs } from '../load.ts'
import { TENSORS, tensors } from './inputs.ts'
import { SoakServer } from './server.ts'
import type { Figure } from './verdict.ts'

const BULK_CLIENTS = 100
const BULK_INPUTS = 8

/** Four interactive clients beside a hundred bulk clients, who say so or do not. */
export async function priority(seconds: number): Promise<Figure[]> {
  const server = await SoakServer.start('double')
  const unmarked = await besideBulk(server, seconds, {})
  const marked = await besideBulk(server, seconds, { 'x-priority': 'low' })
  await server.stop()
  const failed = [...unmarked.all, ...marked.all].filter(({ status }) => status !== 200).length
  return [
    {
      what: 'bulk unmarked: p50 of an interactive request',
      value: percentileMs(unmarked.interactive, 0.5),
      unit: 'ms',
    },
    { what: 'bulk unmarked: p99', value: percentileMs(unmarked.interactive, 0.99), unit: 'ms' },
    { what: 'bulk unmarked: bulk inputs', value: unmarked.bulkRate, unit: '/s' },
    { what: 'bulk low: p50 of an interactive request', value: percentileMs(marked.interactive, 0.5), unit: 'ms' },
    // What an engine computes, what waits with it, and the request's own batch take 148 ms each.
    { what: 'bulk low: p99', value: percentileMs(marked.interactive, 0.99), unit: 'ms', atMost: 1000 },
    { what: 'bulk low: bulk inputs', value: marked.bulkRate, unit: '/s' },
    { what: 'refused or failed', value: failed, unit: 'requests', atMost: 0 },
  ]
}

interface Seen {
  interactive: Outcome[]
  all: Outcome[]
  /** Inputs answered a second. */
  bulkRate: number
}

async function besideBulk(server: SoakServer, seconds: number, headers: Record<string, string>): Promise<Seen> {
  const url = `${server.url}/embed?include=logits`
  const bulk = new Load({ url, contentType: TENSORS, body: () => tensors(BULK_INPUTS), headers })
  const interactive = new Load({ url, contentType: TENSORS, body: () => tensors() })
  bulk.clients(BULK_CLIENTS)
  interactive.clients(4)
  await sleep(5000)
  const from = performance.now()
  await sleep(seconds * 1000)
  const to = performance.now()
  await Promise.all([bulk.stop(), interactive.stop()])
  const ended = bulk.outcomes.filter(({ startedAt, ms }) => startedAt + ms >= from && startedAt + ms < to)
  return {
    interactive: interactive.outcomes.filter(({ startedAt }) => startedAt >= from && startedAt < to),
    all: [...bulk.outcomes, ...interactive.outcomes],
    bulkRate: (ended.length * BULK_INPUTS * 1000) / (to - from),
  }
}

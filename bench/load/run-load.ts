import type { Clock } from '../../src/batching/clock.ts'
import type { Clients, ClientsOptions } from './clients.ts'
import { Schedule } from './schedule.ts'

/** How long to wait for answers after the last request. */
const ANSWER_TIMEOUT_MS = 30_000

export interface RunOptions {
  clock: Clock
  clients: number
  durationMs: number
  /** When requests are due (ms from the start). Without it, a client's next one is due when it has its answer (a closed loop). */
  arrivals: Iterable<number> | undefined
  open: (events: Pick<ClientsOptions, 'onAnswer' | 'onLost' | 'onGivenUp'>) => Pick<Clients, 'send' | 'close'>
  /** Times on the clock (ms). A request that finds no client free is sent late; its due time stays. */
  onAnswer: (status: number, dueAt: number, sentAt: number) => void
  onError: (reason: string, count: number) => void
}

/** Sends due requests over free clients; resolves when all have been answered or given up. */
export function runLoad(options: RunOptions): Promise<void> {
  const { clock, arrivals, durationMs } = options
  const inFlight = new Map<number, { dueAt: number; sentAt: number }>()
  const idle = Array.from({ length: options.clients }, (_, client) => client)
  const due: number[] = []
  let ended = false

  return new Promise((resolve) => {
    const finish = (): void => {
      schedule?.stop()
      stopEnd()
      stopTimeout()
      clients.close()
      resolve()
    }
    const pump = (): void => {
      while (due.length > 0 && idle.length > 0) {
        const client = idle.shift() as number
        inFlight.set(client, { dueAt: due.shift() as number, sentAt: clock.now() })
        clients.send(client)
      }
      if (ended && due.length === 0 && inFlight.size === 0) finish()
    }
    const free = (client: number): void => {
      inFlight.delete(client)
      idle.push(client)
      if (arrivals === undefined && !ended) due.push(clock.now())
      pump()
    }

    const clients = options.open({
      onAnswer(client, status) {
        const { dueAt, sentAt } = inFlight.get(client) ?? { dueAt: Number.NaN, sentAt: Number.NaN }
        options.onAnswer(status, dueAt, sentAt)
        free(client)
      },
      onLost(client, reason, hadRequest) {
        options.onError(reason, 1)
        if (hadRequest) free(client)
      },
      onGivenUp() {
        options.onError('given up: too many connections were lost', 1)
        finish()
      },
    })
    let stopTimeout = (): void => {}
    const stopEnd = clock.after(durationMs, () => {
      ended = true
      stopTimeout = clock.after(ANSWER_TIMEOUT_MS, () => {
        options.onError(`no answer within ${ANSWER_TIMEOUT_MS / 1000} s`, inFlight.size + due.length)
        finish()
      })
      pump()
    })
    let schedule: Schedule | undefined
    if (arrivals === undefined) {
      for (const _ of idle) due.push(clock.now())
      pump()
    } else {
      schedule = new Schedule(clock, arrivals, (dueAt) => {
        due.push(dueAt)
        pump()
      })
    }
  })
}

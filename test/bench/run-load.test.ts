import { describe, expect, it } from 'vitest'
import { type RunOptions, runLoad } from '../../bench/load/run-load.ts'
import { even } from '../../bench/load/schedule.ts'
import { FakeClock } from '../helpers/fake-clock.ts'

type Events = Parameters<RunOptions['open']>[0]

/** A server that answers every request after `serviceMs`, unless told otherwise. */
function start(options: { clients: number; ratePerS?: number; durationMs: number; serviceMs: number }) {
  const clock = new FakeClock()
  const sent: { client: number; at: number }[] = []
  const latencies: number[] = []
  const errors: [string, number][] = []
  const state = { serviceMs: options.serviceMs, done: false, closed: 0 }
  let events: Events | undefined
  void runLoad({
    clock,
    clients: options.clients,
    durationMs: options.durationMs,
    arrivals: options.ratePerS === undefined ? undefined : even(options.ratePerS, options.durationMs),
    open(given) {
      events = given
      return {
        send(client) {
          sent.push({ client, at: clock.now() })
          if (Number.isFinite(state.serviceMs)) clock.after(state.serviceMs, () => given.onAnswer(client, 200))
        },
        close: () => state.closed++,
      }
    },
    onAnswer: (_status, dueAt) => latencies.push(clock.now() - dueAt),
    onError: (reason, count) => errors.push([reason, count]),
  }).then(() => {
    state.done = true
  })
  return { clock, sent, latencies, errors, state, events: events as Events }
}

describe('a closed loop', () => {
  it('keeps one request of each client in flight', async () => {
    const load = start({ clients: 2, durationMs: 50, serviceMs: 10 })
    await load.clock.advance(25)
    expect(load.sent.map(({ client, at }) => `${client}@${at}`)).toEqual(['0@0', '1@0', '0@10', '1@10', '0@20', '1@20'])
    expect(new Set(load.latencies)).toEqual(new Set([10]))
  })

  it('ends when the last request it sent has its answer', async () => {
    const load = start({ clients: 1, durationMs: 45, serviceMs: 10 })
    await load.clock.advance(49)
    expect(load.state.done).toBe(false)
    await load.clock.advance(1)
    expect(load.state).toMatchObject({ done: true, closed: 1 })
    expect(load.sent).toHaveLength(5)
    expect(load.errors).toEqual([])
  })
})

describe('an open loop', () => {
  it('sends at its rate although answers take longer than the interval', async () => {
    const load = start({ clients: 10, ratePerS: 100, durationMs: 100, serviceMs: 50 })
    await load.clock.advance(100)
    expect(load.sent.map(({ at }) => at)).toEqual([0, 10, 20, 30, 40, 50, 60, 70, 80, 90])
  })

  it('counts latency from when a request was due, so that waiting for a free client is part of it', async () => {
    // One client and 20 ms a request, while one falls due each 10 ms: each waits 10 ms longer than the one before.
    const load = start({ clients: 1, ratePerS: 100, durationMs: 50, serviceMs: 20 })
    await load.clock.advance(200)
    expect(load.latencies).toEqual([20, 30, 40, 50, 60])
    expect(load.state.done).toBe(true)
  })

  it('shows a stall of the server to every request that fell due in it', async () => {
    const load = start({ clients: 1, ratePerS: 100, durationMs: 100, serviceMs: 1 })
    await load.clock.advance(15)
    load.state.serviceMs = 60
    await load.clock.advance(10)
    load.state.serviceMs = 1
    await load.clock.advance(500)
    // Sent at 20, answered at 80; those due at 30, 40, ... waited for it.
    expect(load.latencies).toEqual([1, 1, 60, 51, 42, 33, 24, 15, 6, 1])
  })

  it('gives up on what has no answer half a minute after the end, and says how much', async () => {
    const load = start({ clients: 1, ratePerS: 100, durationMs: 30, serviceMs: Number.POSITIVE_INFINITY })
    await load.clock.advance(31_000)
    expect(load.state).toMatchObject({ done: true, closed: 1 })
    expect(load.errors).toEqual([['no answer within 30 s', 3]])
  })
})

describe('a connection that is lost', () => {
  it('is an error, and its client goes on', async () => {
    const load = start({ clients: 1, durationMs: 100, serviceMs: Number.POSITIVE_INFINITY })
    load.state.serviceMs = 10
    load.events.onLost(0, 'ECONNRESET', true)
    await load.clock.advance(15)
    expect(load.errors).toEqual([['ECONNRESET', 1]])
    expect(load.latencies).toEqual([10])
  })

  it('ends the load when there are too many', async () => {
    const load = start({ clients: 1, durationMs: 100, serviceMs: 10 })
    load.events.onGivenUp()
    await load.clock.advance(0)
    expect(load.state.done).toBe(true)
    expect(load.clock.pending).toBe(1) // The answer that will not be heard.
  })
})

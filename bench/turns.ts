import { type CpuMs, cpuBetween } from './cpu.ts'
import { Load, type LoadJob, type LoadResult, type LoadTime } from './load/load.ts'
import type { ServerProcess } from './server-process.ts'
import { type Series, series } from './statistics.ts'
import { warmUp } from './warm-up.ts'

/** One of the windows of a warm-up. */
const WARM_UP_WINDOW = { leadS: 0, windowS: 1 }

export interface Contender {
  server: ServerProcess
  job: LoadJob
}

/** One window of load on one server. */
export interface Turn extends LoadResult {
  /** Of the server per answer. */
  cpuMs: CpuMs
}

export interface Turns {
  /** Seconds of warm-up. */
  settledS: number
  warmUp: Turn[]
  /** One per round. */
  turns: Turn[]
}

export interface TurnsTiming {
  /**
   * Of load before each window: what other processes left in the caches is gone by then. It should be longer than an answer takes:
   * else a server whose first batches are slow loses the time of these.
   */
  leadS: number
  windowS: number
  rounds: number
  /** The longest warm-up, which ends sooner when the CPU time per answer has settled. */
  settleS: number
}

/**
 * Loads servers that all run, one at a time and each once in each round, so that turns of one round are neighbours in
 * time. A machine that changes its speed then changes both sides of a ratio.
 */
export async function takeTurns(
  contenders: Contender[],
  { leadS, windowS, rounds, settleS }: TurnsTiming,
): Promise<Turns[]> {
  const loads: Load[] = []
  const all: Turns[] = []
  try {
    for (const { job } of contenders) loads.push(await Load.open(job))
    const turnOf = (i: number, time: LoadTime) => takeTurn(contenders[i] as Contender, loads[i] as Load, time)
    for (const [i, { server }] of contenders.entries()) {
      const warm: Turn[] = []
      const window = async () => {
        const turn = await turnOf(i, WARM_UP_WINDOW)
        warm.push(turn)
        return { cpuMs: turn.cpuMs, answeredByServer: server.answered }
      }
      all.push({ settledS: await warmUp(window, settleS), warmUp: warm, turns: [] })
    }
    for (let round = 0; round < rounds; round++) {
      for (const i of orderOf(round, contenders.length)) all[i]?.turns.push(await turnOf(i, { leadS, windowS }))
    }
    return all
  } finally {
    await Promise.all(loads.map((load) => load.close()))
  }
}

/** Mirrored in every other round, so that a steady drift favours nobody; rotated, so that nobody is always in the middle. */
export function orderOf(round: number, count: number): number[] {
  const order = Array.from({ length: count }, (_, i) => (i + Math.floor(round / 2)) % count)
  return round % 2 === 0 ? order : order.toReversed()
}

/**
 * The CPU time is that of all answers, from an idle server to an idle server: it does not depend on where a window cuts a
 * batch.
 */
async function takeTurn({ server }: Contender, load: Load, time: LoadTime): Promise<Turn> {
  const before = server.cpu()
  const result = await load.run(time)
  const { http, engine } = cpuBetween(before, server.cpu())
  server.answered += result.answered
  return { ...result, cpuMs: { http: http / result.answered, engine: engine / result.answered } }
}

/** Each figure of the turns. */
export function turnSeries(turns: Turn[]) {
  const of = (figure: (turn: Turn) => number): Series => series(turns.map(figure))
  return {
    answersPerS: of(({ window }) => window.answersPerS),
    p50Ms: of(({ window }) => window.p50Ms),
    p99Ms: of(({ window }) => window.p99Ms),
    cpuMs: { http: of(({ cpuMs }) => cpuMs.http), engine: of(({ cpuMs }) => cpuMs.engine) },
  }
}

/** Of all requests of the turns. */
export function outcomes(turns: Turn[]): Pick<LoadResult, 'answered' | 'errors'> {
  const errors: Record<string, number> = {}
  for (const [error, count] of turns.flatMap((turn) => Object.entries(turn.errors))) {
    errors[error] = (errors[error] ?? 0) + count
  }
  return { answered: turns.reduce((sum, { answered }) => sum + answered, 0), errors }
}

import { seededRandom } from '../inputs.ts'
import { poisson } from '../load/schedule.ts'
import { percentile } from '../statistics.ts'
import { Replica, type ReplicaOptions } from './replica.ts'
import { VirtualClock } from './virtual-clock.ts'

export const BALANCERS = ['least-connections', 'round-robin'] as const

/** The first requests find empty replicas whose batcher has measured nothing yet: this share of them is not counted. */
const WARM_UP = 0.1

export interface Scenario extends Omit<ReplicaOptions, 'clock' | 'serviceTime' | 'onBatch'> {
  /** Milliseconds that all threads take for a batch. */
  serviceTime: (batchSize: number, random: () => number) => number
  replicas: number
  balancer: (typeof BALANCERS)[number]
  /** Of all replicas together; arrivals are a Poisson process. */
  ratePerS: number
  /** How many arrive. */
  requests: number
  /** After which a request expires (ms). */
  timeoutMs: number
  /** Added to every latency (ms): what network, HTTP and balancer take. */
  overheadMs: number
  seed: number
}

export interface Outcome {
  /** Of the answers; those that were refused or expired have none. */
  meanMs: number
  p50Ms: number
  p99Ms: number
  /** Mean wait for a batch, which the server reports as `resnet_queue_duration_seconds`. */
  waitMs: number
  /** Answers in time. */
  goodputPerS: number
  /** The warm-up included. */
  answered: number
  /** Refused or expired, the warm-up included. */
  failed: number
  meanBatchSize: number
  /** Share of the compute threads' time that batches take. */
  utilisation: number
}

export async function simulate(scenario: Scenario): Promise<Outcome> {
  const { ratePerS, requests, timeoutMs, overheadMs, seed } = scenario
  const clock = new VirtualClock()
  // Two sources, so that scenarios with the same seed have the same arrivals whatever the service times draw.
  const [arrivalsRandom, serviceRandom] = [seededRandom(seed), seededRandom(seed + 0x9e3779b9)]
  const batches = { count: 0, inputs: 0, ms: 0 }
  const replicas = Array.from({ length: scenario.replicas }, () => {
    return new Replica({
      ...scenario,
      clock,
      serviceTime: (batchSize) => scenario.serviceTime(batchSize, serviceRandom),
      onBatch(size, ms) {
        batches.count++
        batches.inputs += size
        batches.ms += ms
      },
    })
  })
  const next = balancerOf(scenario.balancer, replicas)
  const latencies: number[] = []
  let waitedMs = 0
  const result = { answered: 0, failed: 0 }
  const countedFrom = Math.floor(WARM_UP * requests)
  let countedFromMs = 0

  const ask = async (index: number): Promise<void> => {
    const arrivedAt = clock.now()
    if (index === countedFrom) countedFromMs = arrivedAt
    const waitMs = await next().ask(timeoutMs)
    result[waitMs === undefined ? 'failed' : 'answered']++
    if (waitMs === undefined || index < countedFrom) return
    waitedMs += waitMs
    latencies.push(clock.now() - arrivedAt + overheadMs)
  }

  const arrivals = poisson(ratePerS, Number.POSITIVE_INFINITY, arrivalsRandom)
  let lastArrivalMs = 0
  const arrive = (index: number): void => {
    const at = arrivals.next().value as number
    clock.after(at - clock.now(), () => {
      lastArrivalMs = at
      if (index + 1 < requests) arrive(index + 1)
      void ask(index)
    })
  }
  arrive(0)
  await clock.run()

  latencies.sort((a, b) => a - b)
  return {
    meanMs: latencies.reduce((sum, ms) => sum + ms, 0) / latencies.length,
    p50Ms: percentile(latencies, 0.5),
    p99Ms: percentile(latencies, 0.99),
    waitMs: waitedMs / latencies.length,
    goodputPerS: (latencies.length * 1000) / (lastArrivalMs - countedFromMs),
    ...result,
    meanBatchSize: batches.inputs / batches.count,
    utilisation: batches.ms / (clock.now() * scenario.replicas),
  }
}

/** The replica for the next request. */
function balancerOf(name: Scenario['balancer'], replicas: Replica[]): () => Replica {
  let turn = 0
  return () => {
    const inTurn = replicas.map((_, i) => replicas[(turn + i) % replicas.length] as Replica)
    turn++
    // Of equal ones, the first in turn.
    if (name === 'round-robin') return inTurn[0] as Replica
    return inTurn.reduce((best, other) => (other.inFlight < best.inFlight ? other : best))
  }
}

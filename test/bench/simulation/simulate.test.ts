import { describe, expect, it } from 'vitest'
import { type Scenario, simulate } from '../../../bench/simulation/simulate.ts'

/** One server, one input at a time, 10 ms each: the queues that textbooks have formulas for. */
const MD1: Scenario = {
  serviceTime: () => 10,
  processes: 1,
  takesAllThreads: true,
  maxBatchSize: 1,
  maxQueueSize: 1_000_000,
  replicas: 1,
  balancer: 'round-robin',
  ratePerS: 50,
  requests: 20_000,
  timeoutMs: 1e9,
  overheadMs: 0,
  seed: 1,
}
const MM1: Scenario = { ...MD1, serviceTime: (_size, random) => -10 * Math.log(1 - random()) }

/**
 * Standard error of the mean latency of an M/M/1 queue at this load (ms): latencies of neighbours are alike, so it is far more than
 * that of as many independent ones (Daley 1968, the serial correlation coefficients of waiting times).
 */
const errorMs = (load: number): number => {
  const counted = 0.9 * MD1.requests
  return 10 * Math.sqrt((load * (2 + 5 * load - 4 * load ** 2 + load ** 3)) / (1 - load) ** 4 / counted)
}
const near = (value: number, expected: number, error: number): void =>
  expect(Math.abs(value - expected)).toBeLessThan(error)

describe('the simulation agrees with queueing theory', () => {
  it.each([0.3, 0.5, 0.7])('M/D/1 at load %d: mean latency by Pollaczek and Khinchine', async (load) => {
    const { meanMs, utilisation } = await simulate({ ...MD1, ratePerS: 100 * load })
    // Its latencies vary less than those of M/M/1.
    near(meanMs, 10 + (10 * load) / (2 * (1 - load)), 3 * errorMs(load))
    near(utilisation, load, 0.02)
  })

  it.each([0.3, 0.5, 0.7])('M/M/1 at load %d: latency is exponential', async (load) => {
    const mean = 10 / (1 - load)
    const { meanMs, p50Ms, p99Ms } = await simulate({ ...MM1, ratePerS: 100 * load })
    near(meanMs, mean, 3 * errorMs(load))
    near(p50Ms, mean * Math.LN2, 3 * errorMs(load))
    // Of an exponential, the quantile is so many means, and so is its error.
    near(p99Ms, mean * Math.log(100), 3 * errorMs(load) * Math.log(100))
  })

  it('round robin over replicas smooths their arrivals, and least connections beats it', async () => {
    const two = { ...MM1, replicas: 2, ratePerS: 140 }
    const inTurn = await simulate(two)
    const leastBusy = await simulate({ ...two, balancer: 'least-connections' })
    // Between M/M/2, the best that is possible, and two M/M/1.
    expect(leastBusy.meanMs).toBeGreaterThan(10 / (1 - 0.7 ** 2))
    expect(leastBusy.meanMs).toBeLessThan(inTurn.meanMs)
    expect(inTurn.meanMs).toBeLessThan(10 / (1 - 0.7))
  })
})

describe('the simulation', () => {
  const batched: Scenario = {
    ...MD1,
    serviceTime: (size) => 20 + 5 * size,
    processes: 2,
    maxBatchSize: 32,
    replicas: 3,
    balancer: 'least-connections',
    ratePerS: 300,
    requests: 5000,
    timeoutMs: 30_000,
  }

  it('loses no request: each is answered, refused or expired', async () => {
    const { answered, failed } = await simulate({ ...batched, ratePerS: 3000, maxQueueSize: 100, timeoutMs: 1000 })
    expect(answered + failed).toBe(5000)
    expect(failed).toBeGreaterThan(1000)
    expect(answered).toBeGreaterThan(100)
    expect(await simulate(batched)).toMatchObject({ answered: 5000, failed: 0 })
  })

  it('gives the same again by its seed, and something else by another', async () => {
    const first = await simulate(batched)
    expect(await simulate(batched)).toEqual(first)
    expect((await simulate({ ...batched, seed: 2 })).p99Ms).not.toBe(first.p99Ms)
  })

  it('a request that meets nobody takes what a batch of one takes, and the overhead', async () => {
    const { p50Ms, meanBatchSize } = await simulate({ ...batched, ratePerS: 0.1, requests: 100, overheadMs: 3 })
    expect(p50Ms).toBeCloseTo(28, 6)
    expect(meanBatchSize).toBe(1)
  })

  it('batches grow with the load, and goodput with the replicas', async () => {
    const light = await simulate({ ...batched, ratePerS: 100 })
    const heavy = await simulate({ ...batched, ratePerS: 450 })
    expect(heavy.meanBatchSize).toBeGreaterThan(2 * light.meanBatchSize)
    const overloaded = { ...batched, ratePerS: 2000, requests: 20_000, maxQueueSize: 100 }
    for (const replicas of [1, 2, 3]) {
      const { goodputPerS } = await simulate({ ...overloaded, replicas })
      // 32 inputs take 180 ms. The queues are full, but the window's ends may fall into a batch of each process.
      near(goodputPerS, (replicas * 32_000) / 180, 10 * replicas)
    }
  })
})

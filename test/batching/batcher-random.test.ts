import { describe, expect, it } from 'vitest'
import { type BatchEngine, Batcher } from '../../src/batching/batcher.ts'
import type { Priority, SubmitOptions } from '../../src/batching/job.ts'
import { randomNumbers } from '../../src/engines/random.ts'
import { ServeError } from '../../src/errors.ts'
import { type FakeOutput, StallingClock } from './fake-engine.ts'

const ITEMS = 1000
const KEYS = ['red', 'green', 'blue']
/** Fixed seeds for every run, and a new one each time; the seed is in the test's name, so a failure can be repeated. */
const SEEDS = [1, 2, 3, 4, 5, 6, 7, 8, Math.floor(Math.random() * 2 ** 31)]

function chances(seed: number) {
  const next = randomNumbers(seed)
  return {
    chance: (probability: number): boolean => next() < probability,
    /** A whole number from `low` to `high`, both included. */
    between: (low: number, high: number): number => low + Math.floor(next() * (high - low + 1)),
  }
}

/** A request as the test knows it: what it asked for, and what it was told, when. */
interface Request {
  key: string
  tags: string[]
  arrival: number
  deadline: number | undefined
  priority: Priority
  controller: AbortController
  /** Each item's output or error, or the one error that refused the request. */
  told: { at: number; items: (string | ServeError)[] | ServeError } | undefined
}

/**
 * Requests of random sizes and priorities with random deadlines and aborts, on an engine with random delays that fails on some tags
 * and now and then for no reason of the inputs'. `violations` are broken promises seen while it ran.
 */
async function simulate(seed: number) {
  const { chance, between } = chances(seed)
  const clock = new StallingClock()
  const maxBatchSizes = new Map(KEYS.map((key) => [key, between(1, 16)]))
  const maxBatchSizeOf = (key: string): number => maxBatchSizes.get(key) as number
  const concurrency = between(1, 3)
  const sendAhead = chance(0.5)
  const aheadFrom = between(1, 16)
  const maxQueueSize = chance(0.7) ? ITEMS : between(100, 600)
  const maxLowQueueSize = Math.floor((maxQueueSize * 7) / 8)
  const violations: string[] = []
  const requests: Request[] = []
  /** What the engine did to each `key/tag`, the explanations for the errors told. */
  const failedAlone = new Set<string>()
  const lostWithEngine = new Set<string>()
  const computing = new Set<string>()
  let batches = 0
  let running = 0

  const isPoison = (tag: string): boolean => Number(tag) % 41 === 7
  const wanted = (name: string): boolean =>
    requests.some(
      ({ key, tags, told, controller, arrival, deadline = Number.POSITIVE_INFINITY }) =>
        tags.some((tag) => `${key}/${tag}` === name) &&
        arrival <= clock.now() &&
        told === undefined &&
        !controller.signal.aborted &&
        deadline > clock.now(),
    )

  async function run(key: string, tags: string[]): Promise<string[]> {
    const names = tags.map((tag) => `${key}/${tag}`)
    batches++
    running++
    if (running > (sendAhead ? 2 : 1) * concurrency) violations.push(`${running} batches at once`)
    if (tags.length > maxBatchSizeOf(key)) violations.push(`a batch of ${tags.length} of ${key}`)
    for (const name of names) {
      if (!wanted(name)) violations.push(`${name} was computed and nobody wanted it`)
      if (computing.has(name)) violations.push(`${name} was computed twice at once`)
      computing.add(name)
    }
    await new Promise<void>((resolve) => clock.after(between(1, 20), resolve))
    running--
    for (const name of names) computing.delete(name)
    if (chance(0.02)) {
      for (const name of names) lostWithEngine.add(name)
      throw new ServeError('engine_unavailable', 'restarting')
    }
    const wrongCount = chance(0.02)
    if (tags.length === 1 && (wrongCount || tags.some(isPoison))) failedAlone.add(names[0] as string)
    if (tags.some(isPoison)) throw new Error('poison')
    return wrongCount ? [...names, 'one too many'] : names
  }

  const engine: BatchEngine<string, string, FakeOutput> = {
    count: 1,
    ready: concurrency,
    offer(waiting, maxBatchSize) {
      if (![...maxBatchSizes.values()].includes(maxBatchSize)) violations.push(`an offer for ${maxBatchSize}`)
      if (running < concurrency) return 'compute'
      return sendAhead && running < 2 * concurrency && waiting >= aheadFrom ? 'ahead' : undefined
    },
    run: async (key, tags) => (await run(key, tags)).map((output) => ({ output })),
  }
  const batcher = new Batcher(engine, {
    maxBatchSizeOf,
    batchTimeoutMs: chance(0.5) ? 0 : between(1, 10),
    maxQueueSize,
    maxLowQueueSize,
    clock,
  })

  for (let made = 0; made < ITEMS; ) {
    const size = Math.min(chance(0.7) ? between(1, 4) : between(5, 60), ITEMS - made)
    const arrival = between(0, 50)
    requests.push({
      key: KEYS[between(0, KEYS.length - 1)] as string,
      tags: Array.from({ length: size }, (_, i) => `${made + i}`),
      arrival,
      deadline: chance(0.4) ? arrival + between(1, 300) : undefined,
      priority: chance(0.4) ? 'low' : 'normal',
      controller: new AbortController(),
      told: undefined,
    })
    made += size
  }

  for (const request of requests) {
    const { key, tags, arrival, deadline, priority, controller } = request
    const options: SubmitOptions = { deadline, priority, signal: controller.signal }
    const tell = (items: (string | ServeError)[] | ServeError): void => {
      if (request.told !== undefined) violations.push('a request was answered twice')
      request.told = { at: clock.now(), items }
    }
    clock.after(arrival, () => {
      const before = batcher.queueDepth
      batcher.submit(key, tags, options).then(
        (answers) => tell(answers.map((answer) => (answer instanceof ServeError ? answer : answer.output))),
        (refusal) => tell(refusal),
      )
      if (priority === 'low' && batcher.queueDepth > Math.max(before, maxLowQueueSize)) {
        violations.push(`a low request filled the queue to ${batcher.queueDepth}`)
      }
      if (batcher.queueDepth > maxQueueSize) violations.push(`${batcher.queueDepth} items in the queue`)
    })
    if (chance(0.2)) clock.after(arrival + between(0, 200), () => controller.abort())
  }
  // Something blocks the event loop: the timers that fall due meanwhile are late.
  for (let i = 0; i < 5; i++) clock.after(between(0, 100), () => clock.stall(between(1, 30)))

  await clock.advance(100_000)
  return { requests, violations, batcher, clock, batches, isPoison, failedAlone, lostWithEngine }
}

type Simulation = Awaited<ReturnType<typeof simulate>>

/** Why an item must not have been told this; undefined when it may. */
function objection(
  { isPoison, failedAlone, lostWithEngine }: Simulation,
  { key, deadline = Number.POSITIVE_INFINITY, controller, told }: Request,
  tag: string,
  item: string | ServeError,
): string | undefined {
  const name = `${key}/${tag}`
  if (typeof item === 'string') {
    if (item !== name) return `${name} was told ${item}`
    return isPoison(tag) ? `${name} has an output, and is poison` : undefined
  }
  const justified =
    (item.code === 'inference_failed' && failedAlone.has(name)) ||
    (item.code === 'engine_unavailable' && lostWithEngine.has(name)) ||
    (item.code === 'deadline_exceeded' && told !== undefined && deadline <= told.at) ||
    (item.code === 'deadline_unreachable' &&
      told !== undefined &&
      told.at < deadline &&
      deadline < Number.POSITIVE_INFINITY) ||
    (item.code === 'canceled' && controller.signal.aborted)
  return justified ? undefined : `${name} was told ${item.code} for no reason`
}

describe('a thousand concurrent inputs', () => {
  it.each(SEEDS)('are each answered once, with their own output or a justified error (seed %i)', async (seed) => {
    const simulation = await simulate(seed)
    const { requests, violations, batcher, clock } = simulation
    expect(violations).toEqual([])
    const objections: string[] = []
    let outputs = 0
    for (const request of requests) {
      const items = request.told?.items
      if (items === undefined) objections.push(`a request of ${request.tags.length} was never answered`)
      else if (items instanceof ServeError) {
        if (items.code !== 'queue_full') {
          const reason = objection(simulation, request, request.tags[0] as string, items)
          if (reason !== undefined) objections.push(reason)
        }
      } else if (items.length !== request.tags.length) {
        objections.push(`${items.length} answers to ${request.tags.length} inputs`)
      } else {
        outputs += items.filter((item) => typeof item === 'string').length
        for (const [i, tag] of request.tags.entries()) {
          const reason = objection(simulation, request, tag, items[i] as string | ServeError)
          if (reason !== undefined) objections.push(reason)
        }
      }
    }
    expect(objections).toEqual([])
    expect(outputs).toBeGreaterThan(0)
    expect(batcher.queueDepth).toBe(0)
    expect(clock.pending).toBe(0)
    await batcher.drain()
  })
})

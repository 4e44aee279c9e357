import { describe, expect, it } from 'vitest'
import { settle } from '../helpers/fake-clock.ts'
import { many, setUp, watch } from './fake-engine.ts'

/** An engine that has been measured: a batch of four takes 100 ms. One such batch is running, and has just begun. */
async function measured(options: Parameters<typeof setUp>[0] = {}) {
  const parts = setUp(options)
  const { batcher, clock, engine } = parts
  const first = watch(batcher.submit('k', many('measure', 4)))
  await clock.advance(100)
  await engine.finish()
  expect(first.outcomes).toHaveLength(4)
  batcher.submit('k', many('running', 4))
  return parts
}

describe('a deadline that the measured speed cannot meet', () => {
  it('is refused at once, with the time to come back', async () => {
    const { batcher, clock, engine } = await measured()
    batcher.submit('k', many('queued', 40))
    // 100 ms of the batch that runs, and eleven batches: 1.2 s.
    const late = watch(batcher.submit('k', many('late', 4), { deadline: clock.now() + 300 }))
    await settle()
    expect(late.refusal).toMatchObject({ code: 'deadline_unreachable', retryAfterS: 2 })
    await engine.finishAll()
    expect(engine.seen.flat().filter((input) => input.startsWith('late'))).toEqual([])
  })

  it('is told apart from one that can be met, by the place in turn and not by the length of the queue', async () => {
    const { batcher, clock, engine } = await measured()
    batcher.submit('k', many('large', 40))
    // One input of a new request leaves with the very next batch, whatever the large request has left.
    const small = watch(batcher.submit('k', ['small'], { deadline: clock.now() + 250 }))
    expect(batcher.refusal('k', 40, clock.now() + 250)?.code).toBe('deadline_unreachable')
    await clock.advance(100)
    await engine.finish()
    await clock.advance(100)
    await engine.finish()
    expect(small.outcomes).toEqual(['k:small'])
  })

  it('counts what is left of the batch that runs', async () => {
    const { batcher, clock } = await measured()
    for (const input of many('next', 4)) batcher.submit('k', [input])
    // What is left of it, the next batch, and the one after that.
    expect(batcher.refusal('k', 1, clock.now() + 250)?.code).toBe('deadline_unreachable')
    await clock.advance(80)
    expect(batcher.refusal('k', 1, clock.now() + 250)).toBeUndefined()
  })

  it('counts the batches that an engine computes side by side', async () => {
    const { batcher, clock } = await measured({ capacity: () => 2 })
    batcher.submit('k', many('also running', 4))
    for (const input of many('queued', 8)) batcher.submit('k', [input])
    // Two rounds of two batches, the second half empty: 100 + 200 ms.
    expect(batcher.refusal('k', 1, clock.now() + 320)?.code).toBe('deadline_unreachable')
    expect(batcher.refusal('k', 1, clock.now() + 340)).toBeUndefined()
  })

  it('counts them by when each is free, not as if all were when the first is', async () => {
    const { batcher, clock } = await measured({ capacity: () => 2 })
    await clock.advance(90)
    batcher.submit('k', many('has just begun', 4))
    for (const input of many('queued', 4)) batcher.submit('k', [input])
    // The first is free in 10 ms and takes the next batch; the second is free in 100 ms, and takes the one after that.
    expect(batcher.refusal('k', 1, clock.now() + 200)?.code).toBe('deadline_unreachable')
    expect(batcher.refusal('k', 1, clock.now() + 240)).toBeUndefined()
  })

  it('asks for some time to spare, since every request of an overloaded server is admitted at the limit', async () => {
    const { batcher, clock } = await measured()
    for (const input of many('next', 4)) batcher.submit('k', [input])
    const place = (msLeft: number): string | undefined => batcher.refusal('k', 4, clock.now() + msLeft)?.code
    expect(place(300)).toBe('deadline_unreachable')
    expect(place(340)).toBeUndefined()
  })
})

describe('nothing is refused for its deadline', () => {
  it('while nothing has been measured', () => {
    const { batcher, clock } = setUp()
    batcher.submit('k', many('a', 90))
    expect(batcher.refusal('k', 1, clock.now() + 1)).toBeUndefined()
  })

  it('by an idle engine, so that one slow batch does not shut the door for ever', async () => {
    const { batcher, clock, engine } = await measured()
    await engine.finish()
    const result = watch(batcher.submit('k', ['a'], { deadline: clock.now() + 1 }))
    expect(engine.seen.at(-1)).toEqual(['a'])
    await engine.finish()
    expect(result.outcomes).toEqual(['k:a'])
  })

  it('when it leaves with the next batch, which costs the engine nothing if it is late', async () => {
    const { batcher, clock, engine } = await measured()
    const results = many('hurried', 4).map((input) =>
      watch(batcher.submit('k', [input], { deadline: clock.now() + 20 })),
    )
    expect(batcher.refusal('k', 1, clock.now() + 20)?.code).toBe('deadline_unreachable')
    await clock.advance(20)
    expect(results.map(({ outcomes }) => outcomes?.[0])).toEqual(new Array(4).fill('deadline_exceeded'))
    await engine.finishAll()
    expect(engine.seen.flat().filter((input) => input.startsWith('hurried'))).toEqual([])
  })

  it('when it has none', async () => {
    const { batcher } = await measured()
    batcher.submit('k', many('a', 90))
    expect(batcher.refusal('k', 1)).toBeUndefined()
  })
})

describe('an engine ten times overloaded', () => {
  it('stays busy with full batches of requests that meet their deadline', async () => {
    const { batcher, clock, engine } = setUp({ maxQueueSize: 1000 })
    const outcomes: string[] = []
    const deadlineMs = 500
    const tell = (code: string): void => {
      outcomes.push(code)
    }
    // Four items each 100 ms is what the engine can do; forty arrive.
    for (let tick = 0; tick < 200; tick++) {
      for (const input of many(`t${tick}-`, 4)) {
        batcher.submit('k', [input], { deadline: clock.now() + deadlineMs }).then(
          ([answer]) => tell(answer && 'output' in answer ? 'answered' : 'late'),
          ({ code }) => tell(code),
        )
      }
      await clock.advance(10)
      if (tick % 10 === 9) await engine.finish()
    }
    const count = (code: string): number => outcomes.filter((outcome) => outcome === code).length
    // Twenty batches ended, the first of one item. Until then nothing could be foretold, hence the few that are late.
    expect(count('answered')).toBeGreaterThanOrEqual(72)
    expect(count('deadline_unreachable')).toBeGreaterThan(600)
    expect(count('late')).toBeLessThan(40)
  })
})

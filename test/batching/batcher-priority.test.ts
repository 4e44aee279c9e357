import { describe, expect, it } from 'vitest'
import { settle } from '../helpers/fake-clock.ts'
import { many, setUp, watch } from './fake-engine.ts'

const LOW = { priority: 'low' } as const

describe('normal requests', () => {
  it('go before low ones that came earlier', async () => {
    const { batcher, engine } = setUp()
    batcher.submit('k', many('running', 4))
    batcher.submit('k', many('low', 12), LOW)
    batcher.submit('k', ['a', 'b'], { priority: 'normal' })
    batcher.submit('k', ['c'])
    await engine.finish()
    expect(engine.seen.at(-1)).toEqual(['a', 'c', 'b', 'low0'])
  })

  it('have room in the queue that low ones cannot take', async () => {
    const { batcher } = setUp({ maxQueueSize: 16, maxLowQueueSize: 14 })
    batcher.submit('k', many('running', 4))
    batcher.submit('k', many('low', 12), LOW)
    const low = watch(batcher.submit('k', many('more', 3), LOW))
    await settle()
    expect(low.refusal?.code).toBe('queue_full')
    expect(batcher.refusal('k', 2, undefined, 'low')).toBeUndefined()
    expect(batcher.refusal('k', 4)).toBeUndefined()
    expect(batcher.refusal('k', 5)?.code).toBe('queue_full')
  })

  it('are judged by the work before them, of which low work has an eighth', async () => {
    const { batcher, clock, engine } = setUp({ maxQueueSize: 1000 })
    batcher.submit('k', many('measure', 4))
    await clock.advance(100)
    await engine.finish()
    batcher.submit('k', many('running', 4))
    batcher.submit('k', many('low', 400), LOW)
    // 100 ms of what runs and 100 ms of the next batch; ten seconds of bulk work come later.
    expect(batcher.refusal('k', 4, clock.now() + 230)).toBeUndefined()
    expect(batcher.refusal('k', 4, clock.now() + 230, 'low')?.code).toBe('deadline_unreachable')
    // Forty inputs in ten batches, and five low ones meanwhile: one batch and a bit.
    expect(batcher.refusal('k', 40, clock.now() + 1200)?.code).toBe('deadline_unreachable')
    expect(batcher.refusal('k', 40, clock.now() + 1500)).toBeUndefined()
  })
})

describe('low requests', () => {
  it('never starve: of every eight inputs one is theirs', async () => {
    const { batcher, engine } = setUp()
    batcher.submit('k', many('running', 4))
    const low = watch(batcher.submit('k', many('low', 10), LOW))
    for (let round = 0; low.outcomes === undefined; round++) {
      expect(round).toBeLessThan(21)
      // More normal work comes than the engine can do.
      batcher.submit('k', many(`n${round}-`, 4)).catch(() => {})
      await engine.finish()
    }
    const inputs = engine.seen.slice(1, 21).flat()
    expect(inputs.filter((input) => input.startsWith('low'))).toHaveLength(10)
    expect(inputs.map((input, i) => (input.startsWith('low') ? i % 8 : 7))).toEqual(inputs.map(() => 7))
  })

  it('never starve beside another model that is always busy', async () => {
    const { batcher, engine } = setUp()
    batcher.submit('busy', many('running', 4))
    const low = watch(batcher.submit('quiet', many('low', 8), LOW))
    let rounds = 0
    for (; low.outcomes === undefined && rounds < 100; rounds++) {
      batcher.submit('busy', many(`n${rounds}-`, 4)).catch(() => {})
      await engine.finish()
    }
    expect(low.outcomes).toHaveLength(8)
    // The first batch once seven inputs have left, the second after as many turns as the first used up.
    expect(rounds).toBeLessThanOrEqual(2 + 1 + 7 + 2 + 1)
  })

  it('have the engine to themselves when nothing else waits', async () => {
    const { batcher, engine } = setUp()
    const low = watch(batcher.submit('k', many('low', 12), LOW))
    await engine.finishAll()
    expect(engine.seen.map(({ length }) => length)).toEqual([4, 4, 4])
    expect(low.outcomes).toHaveLength(12)
  })

  it('are judged by all normal work, which goes before them', async () => {
    const { batcher, clock, engine } = setUp()
    batcher.submit('k', many('measure', 4))
    await clock.advance(100)
    await engine.finish()
    batcher.submit('k', many('running', 4))
    batcher.submit('k', many('normal', 40))
    // A normal request of one input has its turn in the next batch; a low one after all eleven.
    expect(batcher.refusal('k', 1, clock.now() + 400)).toBeUndefined()
    expect(batcher.refusal('k', 1, clock.now() + 400, 'low')?.code).toBe('deadline_unreachable')
    expect(batcher.refusal('k', 1, clock.now() + 1400, 'low')).toBeUndefined()
  })
})

import { describe, expect, it } from 'vitest'
import { ServeError } from '../../src/errors.ts'
import { settle } from '../helpers/fake-clock.ts'
import { bySelf, setUp, watch } from './fake-engine.ts'

/** As many inputs, named by a prefix: a0, a1, ... */
const many = (prefix: string, count: number): string[] => Array.from({ length: count }, (_, i) => `${prefix}${i}`)

describe('dispatch', () => {
  it('gives an idle engine a single item at once', async () => {
    const { engine, batcher, clock } = setUp()
    const result = watch(batcher.submit('k', ['a']))
    expect(engine.seen).toEqual([['a']])
    expect(clock.now()).toBe(0)
    await engine.finish()
    expect(result.outcomes).toEqual(['k:a'])
  })

  it('gathers work while the engine is busy', async () => {
    const { engine, batcher } = setUp()
    const results = ['a', 'b', 'c'].map((input) => watch(batcher.submit('k', [input])))
    expect(engine.seen).toEqual([['a']])
    expect(batcher.queueDepth).toBe(2)
    await engine.finish()
    expect(engine.seen).toEqual([['a'], ['b', 'c']])
    expect(batcher.queueDepth).toBe(0)
    await engine.finish()
    expect(results.map(({ outcomes }) => outcomes)).toEqual([['k:a'], ['k:b'], ['k:c']])
  })

  it('takes what is queued as soon as a batch ends', async () => {
    const { engine, batcher } = setUp()
    batcher.submit('k', many('a', 6))
    await engine.finish()
    expect(engine.seen).toEqual([
      ['a0', 'a1', 'a2', 'a3'],
      ['a4', 'a5'],
    ])
  })

  it('never makes a batch larger than the maximum', async () => {
    const { engine, batcher } = setUp({ maxBatchSize: 3 })
    batcher.submit('k', many('a', 5))
    batcher.submit('k', many('b', 5))
    await engine.finishAll()
    expect(engine.seen.map(({ length }) => length)).toEqual([3, 3, 3, 1])
  })

  it('keeps as many batches with the engine as it may, and no more', async () => {
    const { engine, batcher } = setUp({ capacity: () => 2, maxBatchSize: 1 })
    batcher.submit('k', ['a', 'b', 'c'])
    expect(engine.seen).toEqual([['a'], ['b']])
    await engine.finish()
    expect(engine.seen).toEqual([['a'], ['b'], ['c']])
  })

  it('answers in the order submitted, whichever batch ends first', async () => {
    const { engine, batcher } = setUp({ capacity: () => 2, maxBatchSize: 2 })
    const result = watch(batcher.submit('k', ['a', 'b', 'c', 'd']))
    engine.running.reverse()
    await engine.finishAll()
    expect(result.outcomes).toEqual(['k:a', 'k:b', 'k:c', 'k:d'])
  })

  it('answers a request without inputs at once', async () => {
    const { engine, batcher, clock } = setUp()
    const result = watch(batcher.submit('k', [], { deadline: 1000 }))
    await settle()
    expect(result.outcomes).toEqual([])
    expect(engine.seen).toEqual([])
    expect(clock.pending).toBe(0)
  })

  it('tells each item how long it waited, how long its batch took and how large it was', async () => {
    const { engine, batcher, clock } = setUp()
    const first = watch(batcher.submit('k', ['a']))
    await clock.advance(4)
    const second = watch(batcher.submit('k', ['b', 'c']))
    await clock.advance(6)
    await engine.finish()
    await clock.advance(20)
    await engine.finish()
    expect(first.answers).toEqual([{ output: 'k:a', queueMs: 0, computeMs: 10, batchSize: 1 }])
    expect(second.answers?.[1]).toEqual({ output: 'k:c', queueMs: 6, computeMs: 20, batchSize: 2 })
  })
})

describe('keys', () => {
  it('never share a batch', async () => {
    const { engine, batcher } = setUp()
    const results = ['k', 'other', 'k', 'other'].map((key, i) => watch(batcher.submit(key, [`${i}`])))
    await engine.finishAll()
    expect(engine.batches.map(({ key, inputs }) => [key, ...inputs])).toEqual([
      ['k', '0'],
      ['other', '1', '3'],
      ['k', '2'],
    ])
    expect(results.map(({ outcomes }) => outcomes?.[0])).toEqual(['k:0', 'other:1', 'k:2', 'other:3'])
  })

  it('take turns, so that a busy one does not shut out another', async () => {
    const { engine, batcher } = setUp()
    batcher.submit('busy', many('a', 16))
    batcher.submit('rare', many('b', 8))
    await engine.finishAll()
    expect(engine.batches.map(({ key }) => key)).toEqual(['busy', 'busy', 'rare', 'busy', 'rare', 'busy'])
  })
})

describe('fairness', () => {
  it('lets small requests into the very next batch beside a large one', async () => {
    const { engine, batcher } = setUp()
    const large = watch(batcher.submit('k', many('large', 100)))
    const small = ['a', 'b'].map((input) => watch(batcher.submit('k', [input])))
    await engine.finish()
    expect(engine.seen[1]).toEqual(['large4', 'a', 'b', 'large5'])
    await engine.finish()
    expect(small.map(({ outcomes }) => outcomes)).toEqual([['k:a'], ['k:b']])
    expect(large.outcomes).toBeUndefined()
  })

  it('splits the batches evenly among large requests', async () => {
    const { engine, batcher } = setUp()
    batcher.submit('k', many('a', 12))
    batcher.submit('k', many('b', 12))
    await engine.finish()
    await engine.finish()
    expect(engine.seen.slice(1, 3).map((inputs) => inputs.map((input) => input[0]).join(''))).toEqual(['abab', 'abab'])
  })

  it('does not make a small request wait for the large one whose last input it shares', async () => {
    const { engine, batcher } = setUp({ identify: bySelf })
    batcher.submit('k', many('large', 90))
    const small = watch(batcher.submit('k', ['large89']))
    await engine.finish()
    expect(engine.seen[1]).toContain('large89')
    await engine.finish()
    expect(small.outcomes).toEqual(['k:large89'])
  })
})

describe('holding an underfull batch for batchTimeoutMs', () => {
  const held = { batchTimeoutMs: 10 }

  it('waits for company while the engine is free', async () => {
    const { engine, batcher, clock } = setUp(held)
    batcher.submit('k', ['a'])
    await clock.advance(9)
    batcher.submit('k', ['b'])
    expect(engine.seen).toEqual([])
    await clock.advance(1)
    expect(engine.seen).toEqual([['a', 'b']])
  })

  it('lets the batch go as soon as it is full', async () => {
    const { engine, batcher, clock } = setUp(held)
    batcher.submit('k', ['a', 'b', 'c'])
    expect(engine.seen).toEqual([])
    batcher.submit('k', ['d'])
    expect(engine.seen).toEqual([['a', 'd', 'b', 'c']])
    expect(clock.pending).toBe(0)
  })

  it('counts the time spent waiting for a busy engine', async () => {
    const { engine, batcher, clock } = setUp(held)
    batcher.submit('k', ['a', 'b', 'c', 'd'])
    batcher.submit('k', ['e'])
    await clock.advance(10)
    await engine.finish()
    expect(engine.seen[1]).toEqual(['e'])
  })

  it('does not let a full batch of another key wait', async () => {
    const { engine, batcher, clock } = setUp(held)
    batcher.submit('k', ['a'])
    batcher.submit('other', ['b', 'c', 'd', 'e'])
    expect(engine.seen).toEqual([['b', 'c', 'd', 'e']])
    await engine.finish()
    await clock.advance(10)
    expect(engine.seen[1]).toEqual(['a'])
  })

  it('keeps to the order of turns among keys that need not wait', async () => {
    const { engine, batcher, clock } = setUp(held)
    batcher.submit('k', many('a', 4))
    for (const key of ['red', 'green', 'blue']) batcher.submit(key, [key])
    await clock.advance(10)
    await engine.finishAll()
    expect(engine.batches.map(({ key }) => key)).toEqual(['k', 'red', 'green', 'blue'])
  })

  it('holds no item longer, also when it is not first in turn', async () => {
    const { engine, batcher, clock } = setUp({ batchTimeoutMs: 10, maxBatchSize: 3 })
    batcher.submit('k', ['x', 'y', 'z'])
    batcher.submit('k', ['a1', 'a2', 'a3'])
    await clock.advance(5)
    batcher.submit('k', ['b1', 'b2'])
    await engine.finish()
    expect(engine.seen[1]).toEqual(['a1', 'b1', 'a2'])
    await clock.advance(1)
    await engine.finish()
    // b2 is first in turn and has waited for 1 ms of its 10; a3 has waited for 6.
    await clock.advance(4)
    expect(engine.seen[2]).toEqual(['b2', 'a3'])
  })

  it('starts anew for the next item when the held one is canceled', async () => {
    const { engine, batcher, clock } = setUp(held)
    const controller = new AbortController()
    batcher.submit('k', ['a'], { signal: controller.signal })
    await clock.advance(5)
    batcher.submit('k', ['b'])
    controller.abort()
    await clock.advance(9)
    expect(engine.seen).toEqual([])
    await clock.advance(1)
    expect(engine.seen).toEqual([['b']])
  })

  it('leaves no timer behind when all that was held is canceled', () => {
    const { batcher, clock } = setUp(held)
    const controller = new AbortController()
    batcher.submit('k', ['a'], { signal: controller.signal })
    expect(clock.pending).toBe(1)
    controller.abort()
    expect(clock.pending).toBe(0)
  })
})

describe('the reason a batch left for', () => {
  it('is idle when nothing holds batches', async () => {
    const { engine, batcher, observed, clock } = setUp()
    batcher.submit('k', ['a', 'b'])
    await clock.advance(7)
    await engine.finish()
    expect(observed).toEqual([{ key: 'k', size: 2, computeMs: 7, reason: 'idle' }])
  })

  it('is full for a batch of the maximum size', async () => {
    const { engine, batcher, observed } = setUp({ batchTimeoutMs: 10 })
    batcher.submit('k', many('a', 4))
    await engine.finish()
    expect(observed).toMatchObject([{ size: 4, reason: 'full' }])
  })

  it('is timeout for an underfull batch that was held long enough', async () => {
    const { engine, batcher, observed, clock } = setUp({ batchTimeoutMs: 10 })
    batcher.submit('k', ['a'])
    await clock.advance(10)
    await engine.finish()
    expect(observed).toMatchObject([{ size: 1, reason: 'timeout' }])
  })

  it('is idle for what a drain sends off early', async () => {
    const { engine, batcher, observed } = setUp({ batchTimeoutMs: 10 })
    batcher.submit('k', ['a'])
    batcher.drain()
    await engine.finish()
    expect(observed).toMatchObject([{ size: 1, reason: 'idle' }])
  })
})

describe('the bounded queue', () => {
  it('counts what waits, not what is being computed', () => {
    const { batcher } = setUp()
    batcher.submit('k', many('a', 6))
    expect(batcher.queueDepth).toBe(2)
  })

  it('refuses at once when it is full', async () => {
    const { batcher, clock } = setUp({ maxQueueSize: 2 })
    batcher.submit('k', ['a'])
    batcher.submit('k', ['b', 'c'])
    const result = watch(batcher.submit('k', ['d'], { deadline: 1000 }))
    await settle()
    expect(result.refusal).toMatchObject({ code: 'queue_full', retryAfterS: 1 })
    expect(clock.pending).toBe(0)
  })

  it('accepts all inputs of a request or none', async () => {
    const { engine, batcher } = setUp({ maxQueueSize: 3 })
    batcher.submit('k', ['a'])
    batcher.submit('k', ['b', 'c'])
    const tooMany = watch(batcher.submit('k', ['d', 'e']))
    await settle()
    expect(tooMany.refusal?.code).toBe('queue_full')
    expect(batcher.queueDepth).toBe(2)
    const fitting = watch(batcher.submit('k', ['f']))
    await engine.finishAll()
    expect(engine.seen.flat()).toEqual(['a', 'b', 'f', 'c'])
    expect(fitting.outcomes).toEqual(['k:f'])
  })

  it('has room again when a batch leaves', async () => {
    const { engine, batcher } = setUp({ maxQueueSize: 1 })
    batcher.submit('k', ['a'])
    batcher.submit('k', ['b'])
    await engine.finish()
    const result = watch(batcher.submit('k', ['c']))
    await engine.finishAll()
    expect(result.outcomes).toEqual(['k:c'])
  })

  it('says when to come back, from the measured rate', async () => {
    const { engine, batcher, clock } = setUp({ maxQueueSize: 20 })
    batcher.submit('k', many('a', 20))
    await clock.advance(2000)
    await engine.finish()
    // Four items in two seconds; twelve are left in the queue.
    expect(batcher.retryAfterS).toBe(6)
    const result = watch(batcher.submit('k', many('b', 9)))
    await settle()
    expect(result.refusal).toMatchObject({ code: 'queue_full', retryAfterS: 6 })
  })
})

describe('identical inputs in flight', () => {
  const coalescing = { identify: bySelf }

  it('share one computation, and all who wait are answered', async () => {
    const { engine, batcher } = setUp(coalescing)
    batcher.submit('k', ['busy'])
    const results = [1, 2, 3].map(() => watch(batcher.submit('k', ['same'])))
    await engine.finishAll()
    expect(engine.seen).toEqual([['busy'], ['same']])
    expect(results.map(({ outcomes }) => outcomes)).toEqual([['k:same'], ['k:same'], ['k:same']])
  })

  it('join one that is already being computed', async () => {
    const { engine, batcher, clock } = setUp(coalescing)
    const first = watch(batcher.submit('k', ['same']))
    await clock.advance(5)
    const second = watch(batcher.submit('k', ['same']))
    expect(batcher.queueDepth).toBe(0)
    await engine.finish()
    expect(engine.seen).toEqual([['same']])
    expect([first.outcomes, second.outcomes]).toEqual([['k:same'], ['k:same']])
  })

  it('are computed once when they are in the same request', async () => {
    const { engine, batcher } = setUp(coalescing)
    const result = watch(batcher.submit('k', ['same', 'other', 'same', 'same']))
    await engine.finish()
    expect(engine.seen).toEqual([['same', 'other']])
    expect(result.outcomes).toEqual(['k:same', 'k:other', 'k:same', 'k:same'])
  })

  it('take no further place in the queue, not even a full one', async () => {
    const { engine, batcher } = setUp({ ...coalescing, maxQueueSize: 1 })
    batcher.submit('k', ['running'])
    batcher.submit('k', ['same'])
    const result = watch(batcher.submit('k', ['same', 'running', 'same']))
    expect(batcher.queueDepth).toBe(1)
    await engine.finishAll()
    expect(result.outcomes).toEqual(['k:same', 'k:running', 'k:same'])
  })

  it('of one request take one place', async () => {
    const { engine, batcher } = setUp({ ...coalescing, maxQueueSize: 1 })
    const result = watch(batcher.submit('k', ['same', 'same']))
    await engine.finishAll()
    expect(result.outcomes).toEqual(['k:same', 'k:same'])
  })

  it('are computed apart under different keys', async () => {
    const { engine, batcher } = setUp(coalescing)
    const results = ['k', 'other'].map((key) => watch(batcher.submit(key, ['same'])))
    await engine.finishAll()
    expect(engine.seen).toEqual([['same'], ['same']])
    expect(results.map(({ outcomes }) => outcomes)).toEqual([['k:same'], ['other:same']])
  })

  it('are computed again once answered: nothing is cached', async () => {
    const { engine, batcher } = setUp(coalescing)
    batcher.submit('k', ['same'])
    await engine.finish()
    batcher.submit('k', ['same'])
    expect(engine.seen).toEqual([['same'], ['same']])
  })

  it('are computed again after a failure', async () => {
    const { engine, batcher } = setUp(coalescing)
    const first = watch(batcher.submit('k', ['same']))
    await engine.fail(new Error('once'))
    const second = watch(batcher.submit('k', ['same']))
    await engine.finish()
    expect(first.outcomes).toEqual(['inference_failed'])
    expect(second.outcomes).toEqual(['k:same'])
  })

  it('are not joined without `identify`', async () => {
    const { engine, batcher } = setUp()
    batcher.submit('k', ['same', 'same'])
    expect(engine.seen).toEqual([['same', 'same']])
  })

  it('each count their own wait from their own submission', async () => {
    const { engine, batcher, clock } = setUp(coalescing)
    batcher.submit('k', ['busy'])
    const first = watch(batcher.submit('k', ['same']))
    await clock.advance(6)
    const second = watch(batcher.submit('k', ['same']))
    await clock.advance(4)
    await engine.finish()
    await clock.advance(3)
    const third = watch(batcher.submit('k', ['same']))
    await clock.advance(2)
    await engine.finish()
    const waits = [first, second, third].map(({ answers }) => answers?.[0])
    expect(waits).toMatchObject([
      { queueMs: 10, computeMs: 5 },
      { queueMs: 4, computeMs: 5 },
      { queueMs: 0, computeMs: 5 },
    ])
  })
})

describe('deadlines', () => {
  it('refuse a request at admission when they have passed', async () => {
    const { engine, batcher, clock } = setUp()
    await clock.advance(50)
    for (const deadline of [49, 50]) {
      const result = watch(batcher.submit('k', ['a'], { deadline }))
      await settle()
      expect(result.refusal?.code).toBe('deadline_exceeded')
    }
    expect(engine.seen).toEqual([])
    expect(batcher.queueDepth).toBe(0)
  })

  it('answer what waits as soon as they pass, also while a long batch runs', async () => {
    const { engine, batcher, clock } = setUp()
    batcher.submit('k', ['long'])
    const result = watch(batcher.submit('k', ['a'], { deadline: 20 }))
    await clock.advance(19)
    expect(result.outcomes).toBeUndefined()
    await clock.advance(1)
    expect(result.outcomes).toEqual(['deadline_exceeded'])
    expect(batcher.queueDepth).toBe(0)
    expect(engine.running).toHaveLength(1)
  })

  it('keep expired items from the engine', async () => {
    const { engine, batcher, clock, observed } = setUp()
    batcher.submit('k', ['long'])
    const results = [20, 40, 20].map((deadline, i) => watch(batcher.submit('k', [`${i}`], { deadline })))
    await clock.advance(30)
    await engine.finishAll()
    expect(engine.seen).toEqual([['long'], ['1']])
    expect(results.map(({ outcomes }) => outcomes?.[0])).toEqual(['deadline_exceeded', 'k:1', 'deadline_exceeded'])
    expect(observed.map(({ size }) => size)).toEqual([1, 1])
  })

  it('are checked when the batch forms, even if their timers are late', async () => {
    const { engine, batcher, clock } = setUp()
    batcher.submit('k', ['long'])
    const late = watch(batcher.submit('k', ['late'], { deadline: 20 }))
    const timely = watch(batcher.submit('k', ['timely'], { deadline: 200 }))
    clock.stall(100)
    await engine.finish()
    expect(late.outcomes).toEqual(['deadline_exceeded'])
    expect(engine.seen[1]).toEqual(['timely'])
    await engine.finish()
    expect(timely.outcomes).toEqual(['k:timely'])
    expect(clock.pending).toBe(0)
  })

  it('take a batch of expired items out without running anything', async () => {
    const { engine, batcher, clock } = setUp()
    batcher.submit('k', ['long'])
    const late = watch(batcher.submit('k', many('late', 3), { deadline: 20 }))
    batcher.submit('other', ['b'])
    clock.stall(100)
    await engine.finish()
    expect(late.outcomes).toEqual(['deadline_exceeded', 'deadline_exceeded', 'deadline_exceeded'])
    expect(engine.seen).toEqual([['long'], ['b']])
  })

  it('leave nothing behind for later requests to join', async () => {
    const { engine, batcher, clock } = setUp({ identify: bySelf })
    batcher.submit('k', ['long'])
    batcher.submit('k', ['timer'], { deadline: 20 })
    batcher.submit('k', ['late timer'], { deadline: 40 })
    await clock.advance(30)
    clock.stall(100)
    await engine.finish()
    const result = watch(batcher.submit('k', ['timer', 'late timer']))
    await engine.finishAll()
    expect(result.outcomes).toEqual(['k:timer', 'k:late timer'])
  })

  it('are checked again when a failed batch is retried', async () => {
    const { engine, batcher, clock } = setUp()
    batcher.submit('k', ['busy'])
    const late = watch(batcher.submit('k', ['late'], { deadline: 20 }))
    const timely = watch(batcher.submit('k', ['timely']))
    await engine.finish()
    clock.stall(100)
    await engine.fail(new Error('poison'))
    expect(late.outcomes).toEqual(['deadline_exceeded'])
    await engine.finishAll()
    expect(timely.outcomes).toEqual(['k:timely'])
    expect(engine.seen).toEqual([['busy'], ['late', 'timely'], ['timely']])
  })

  it('answer an item that is being computed, whose output is then dropped', async () => {
    const { engine, batcher, clock } = setUp()
    const result = watch(batcher.submit('k', ['a'], { deadline: 20 }))
    await clock.advance(20)
    expect(result.outcomes).toEqual(['deadline_exceeded'])
    await engine.finish()
    expect(result.outcomes).toEqual(['deadline_exceeded'])
  })

  it('leave the items answered before them alone', async () => {
    const { engine, batcher, clock } = setUp({ maxBatchSize: 1 })
    const result = watch(batcher.submit('k', ['a', 'b'], { deadline: 20 }))
    await engine.finish()
    await clock.advance(20)
    expect(result.outcomes).toEqual(['k:a', 'deadline_exceeded'])
  })

  it('of one request do not end another that waits for the same input', async () => {
    const { engine, batcher, clock } = setUp({ identify: bySelf })
    batcher.submit('k', ['long'])
    const short = watch(batcher.submit('k', ['same'], { deadline: 20 }))
    const patient = watch(batcher.submit('k', ['same'], { deadline: 200 }))
    await clock.advance(30)
    await engine.finishAll()
    expect(short.outcomes).toEqual(['deadline_exceeded'])
    expect(patient.outcomes).toEqual(['k:same'])
    expect(engine.seen).toEqual([['long'], ['same']])
  })
})

describe('abort signals', () => {
  it('refuse a request when aborted already', async () => {
    const { engine, batcher } = setUp()
    const result = watch(batcher.submit('k', ['a'], { signal: AbortSignal.abort() }))
    await settle()
    expect(result.refusal?.code).toBe('canceled')
    expect(engine.seen).toEqual([])
  })

  it('free the places of what waits, and keep it from the engine', async () => {
    const { engine, batcher } = setUp({ maxQueueSize: 2 })
    const controller = new AbortController()
    batcher.submit('k', ['busy'])
    const result = watch(batcher.submit('k', ['a', 'b'], { signal: controller.signal }))
    controller.abort()
    expect(batcher.queueDepth).toBe(0)
    const next = watch(batcher.submit('k', ['c', 'd']))
    await engine.finishAll()
    expect(result.outcomes).toEqual(['canceled', 'canceled'])
    expect(next.outcomes).toEqual(['k:c', 'k:d'])
    expect(engine.seen).toEqual([['busy'], ['c', 'd']])
  })

  it('of one of two who wait for the same input leave the other', async () => {
    const { engine, batcher } = setUp({ identify: bySelf })
    const controller = new AbortController()
    batcher.submit('k', ['busy'])
    const gone = watch(batcher.submit('k', ['same'], { signal: controller.signal }))
    const stays = watch(batcher.submit('k', ['same']))
    controller.abort()
    expect(batcher.queueDepth).toBe(1)
    await engine.finishAll()
    expect(gone.outcomes).toEqual(['canceled'])
    expect(stays.outcomes).toEqual(['k:same'])
  })

  it('of all who wait for the same input free its place', async () => {
    const { engine, batcher } = setUp({ identify: bySelf })
    const controllers = [new AbortController(), new AbortController()]
    batcher.submit('k', ['busy'])
    for (const { signal } of controllers) batcher.submit('k', ['same', 'same'], { signal })
    for (const controller of controllers) controller.abort()
    expect(batcher.queueDepth).toBe(0)
    const later = watch(batcher.submit('k', ['same']))
    await engine.finishAll()
    expect(later.outcomes).toEqual(['k:same'])
    expect(engine.seen).toEqual([['busy'], ['same']])
  })

  it('during the computation do not stop later requests from joining it', async () => {
    const { engine, batcher } = setUp({ identify: bySelf })
    const controller = new AbortController()
    const gone = watch(batcher.submit('k', ['same'], { signal: controller.signal }))
    controller.abort()
    const joined = watch(batcher.submit('k', ['same']))
    await engine.finishAll()
    expect(gone.outcomes).toEqual(['canceled'])
    expect(joined.outcomes).toEqual(['k:same'])
    expect(engine.seen).toEqual([['same']])
  })

  it('during the computation do not wedge the batcher', async () => {
    const { engine, batcher } = setUp()
    const controller = new AbortController()
    batcher.submit('k', ['a'], { signal: controller.signal })
    controller.abort()
    const next = watch(batcher.submit('k', ['b']))
    await engine.finishAll()
    expect(next.outcomes).toEqual(['k:b'])
  })

  it('keep canceled items out of the retry of a failed batch', async () => {
    const { engine, batcher } = setUp()
    const controller = new AbortController()
    batcher.submit('k', ['a'])
    batcher.submit('k', ['b'], { signal: controller.signal })
    batcher.submit('k', ['c'])
    await engine.finish()
    controller.abort()
    await engine.fail(new Error('poison'))
    await engine.finishAll()
    expect(engine.seen).toEqual([['a'], ['b', 'c'], ['c']])
  })
})

describe('a failed batch', () => {
  it('is retried in halves, so that one poisonous item fails alone', async () => {
    const { engine, batcher } = setUp({ maxBatchSize: 8 })
    const result = watch(batcher.submit('k', many('a', 8)))
    await engine.finishAll({ poison: ['a5'] })
    const expected = many('k:a', 8)
    expected[5] = 'inference_failed'
    expect(result.outcomes).toEqual(expected)
    expect(engine.seen.map((inputs) => inputs.length)).toEqual([8, 4, 4, 2, 1, 1, 2])
  })

  it('is retried when a ServeError about one input failed it', async () => {
    const { engine, batcher } = setUp()
    const result = watch(batcher.submit('k', ['a', 'b']))
    await engine.fail(new ServeError('invalid_tensor', 'one of them'))
    await engine.fail(new ServeError('invalid_tensor', 'this one'))
    await engine.finish()
    expect(result.outcomes).toEqual(['invalid_tensor', 'k:b'])
  })

  it('fails several poisonous items, each alone', async () => {
    const { engine, batcher } = setUp({ maxBatchSize: 7 })
    const result = watch(batcher.submit('k', many('a', 7)))
    await engine.finishAll({ poison: ['a0', 'a3', 'a6'] })
    const failed = [...(result.outcomes ?? [])].flatMap((outcome, i) => (outcome === 'inference_failed' ? [i] : []))
    expect(failed).toEqual([0, 3, 6])
  })

  it('is one whose number of outputs is wrong', async () => {
    const { engine, batcher } = setUp()
    const result = watch(batcher.submit('k', ['a', 'b']))
    await engine.finishWith(['k:a'])
    await engine.finish()
    await engine.finishWith(['k:b', 'k:b'])
    expect(result.outcomes).toEqual(['k:a', 'inference_failed'])
    expect(engine.seen).toEqual([['a', 'b'], ['a'], ['b']])
  })

  it('is one whose run throws instead of rejecting', async () => {
    const run = () => {
      throw new Error('at once')
    }
    const { batcher } = setUp({ run })
    const results = [['a', 'b'], ['c']].map((inputs) => watch(batcher.submit('k', inputs)))
    await settle()
    expect(results.map(({ outcomes }) => outcomes)).toEqual([
      ['inference_failed', 'inference_failed'],
      ['inference_failed'],
    ])
  })

  it('keeps the cause from the client and for the log', async () => {
    const { engine, batcher } = setUp()
    const result = watch(batcher.submit('k', ['a']))
    await engine.fail(new Error('/secret/path'))
    const [answer] = result.answers ?? []
    expect((answer as ServeError).message).not.toContain('secret')
    expect((answer as ServeError).cause).toMatchObject({ message: '/secret/path' })
  })

  it('does not disturb the batches after it', async () => {
    const { engine, batcher } = setUp()
    batcher.submit('k', ['bad'])
    const result = watch(batcher.submit('k', ['good']))
    await engine.fail(new Error('poison'))
    await engine.finish()
    expect(result.outcomes).toEqual(['k:good'])
  })

  it('holds its place with the engine until its retries are done', async () => {
    const { engine, batcher } = setUp()
    batcher.submit('k', ['a', 'b'])
    batcher.submit('k', ['c'])
    await engine.fail(new Error('poison'))
    expect(engine.running.map(({ inputs }) => inputs)).toEqual([['a']])
    await engine.finish()
    expect(engine.running.map(({ inputs }) => inputs)).toEqual([['b']])
    await engine.finish()
    expect(engine.running.map(({ inputs }) => inputs)).toEqual([['c']])
  })

  it('observes only the runs that succeeded', async () => {
    const { engine, batcher, observed } = setUp()
    batcher.submit('k', ['a', 'b', 'c', 'd'])
    await engine.finishAll({ poison: ['d'] })
    expect(observed.map(({ size }) => size)).toEqual([2, 1])
  })
})

describe('drain', () => {
  /** Whether a promise has resolved so far. */
  function done(promise: Promise<void>) {
    const state = { resolved: false }
    promise.then(() => {
      state.resolved = true
    })
    return state
  }

  it('answers what was accepted, and then resolves', async () => {
    const { engine, batcher } = setUp()
    const results = ['a', 'b'].map((input) => watch(batcher.submit('k', [input])))
    const drained = done(batcher.drain())
    await engine.finish()
    expect(drained.resolved).toBe(false)
    await engine.finish()
    expect(drained.resolved).toBe(true)
    expect(results.map(({ outcomes }) => outcomes)).toEqual([['k:a'], ['k:b']])
  })

  it('refuses new work', async () => {
    const { batcher } = setUp()
    batcher.submit('k', ['a'])
    batcher.drain()
    const result = watch(batcher.submit('k', ['b']))
    await settle()
    expect(result.refusal).toMatchObject({ code: 'draining', retryAfterS: 1 })
  })

  it('resolves at once when there is nothing to do', async () => {
    const drained = done(setUp().batcher.drain())
    await settle()
    expect(drained.resolved).toBe(true)
  })

  it('may be asked for twice', async () => {
    const { engine, batcher } = setUp()
    batcher.submit('k', ['a'])
    const drained = [done(batcher.drain()), done(batcher.drain())]
    await engine.finish()
    expect(drained).toEqual([{ resolved: true }, { resolved: true }])
  })

  it('does not wait for company', async () => {
    const { engine, batcher, clock } = setUp({ batchTimeoutMs: 10 })
    batcher.submit('k', ['a'])
    batcher.drain()
    expect(engine.seen).toEqual([['a']])
    expect(clock.pending).toBe(0)
  })

  it('resolves when what was left has been canceled', async () => {
    const { engine, batcher } = setUp()
    const controller = new AbortController()
    batcher.submit('k', ['a'])
    batcher.submit('k', ['b'], { signal: controller.signal })
    const drained = done(batcher.drain())
    controller.abort()
    await engine.finish()
    expect(drained.resolved).toBe(true)
    expect(engine.seen).toEqual([['a']])
  })

  it('waits for the batch that forms when late deadlines empty the queue', async () => {
    const { engine, batcher, clock } = setUp({ maxBatchSize: 2 })
    batcher.submit('k', ['busy'])
    batcher.submit('k', ['late1', 'late2'], { deadline: 20 })
    const result = watch(batcher.submit('k', ['a']))
    const drained = done(batcher.drain())
    clock.stall(100)
    await engine.finish()
    expect(engine.seen[1]).toEqual(['a'])
    expect(drained.resolved).toBe(false)
    await engine.finish()
    expect(drained.resolved).toBe(true)
    expect(result.outcomes).toEqual(['k:a'])
  })
})

describe('timers', () => {
  it('are all called off once everything is answered', async () => {
    const { engine, batcher, clock } = setUp({ batchTimeoutMs: 10, identify: bySelf })
    const results = many('a', 9).map((input) => watch(batcher.submit('k', [input, 'same'], { deadline: 1000 })))
    expect(clock.pending).toBeGreaterThan(0)
    await engine.finishAll()
    await clock.advance(10)
    await engine.finishAll({ poison: ['a8'] })
    expect(results.every(({ outcomes }) => outcomes?.length === 2)).toBe(true)
    expect(clock.pending).toBe(0)
  })
})

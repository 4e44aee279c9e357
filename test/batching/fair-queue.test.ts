import { describe, expect, it } from 'vitest'
import { type Entry, FairQueue, type Item } from '../../src/batching/fair-queue.ts'
import type { Priority } from '../../src/batching/job.ts'
import { randomNumbers } from '../../src/engines/random.ts'
import { grownByMinorCollections } from '../helpers/minor-collections.ts'

interface TestJob {
  key: string
  inputs: string[]
  submittedAt: number
  priority: Priority
}

/** Queues one request's inputs under a key. */
function request(
  queue: FairQueue<TestJob>,
  key: string,
  inputs: string[],
  submittedAt = 0,
  priority: Priority = 'normal',
): Entry<TestJob> {
  return queue.add({ key, inputs, submittedAt, priority })
}

/** A bulk request. */
const bulk = (queue: FairQueue<TestJob>, key: string, inputs: string[]): Entry<TestJob> =>
  request(queue, key, inputs, 0, 'low')

function newQueue() {
  return new FairQueue<TestJob>()
}

const many = (prefix: string, count: number): string[] => Array.from({ length: count }, (_, i) => `${prefix}${i}`)

const inputsOf = (items: Item<TestJob>[]) => items.map(({ job, index }) => job.inputs[index])

describe('FairQueue', () => {
  it('keeps nothing in memory of jobs that have left', () => {
    const queue = newQueue()
    const grown = grownByMinorCollections((ballast) => {
      request(queue, 'k', Object.assign(['a'], { ballast }))
      return () => queue.take(() => 1)
    })
    expect(grown).toBeLessThan(2)
  })

  it('keeps the order of one request', () => {
    const queue = newQueue()
    request(queue, 'k', ['a', 'b', 'c', 'd'])
    expect(inputsOf(queue.take(() => 3))).toEqual(['a', 'b', 'c'])
    expect(inputsOf(queue.take(() => 3))).toEqual(['d'])
  })

  it('keeps the order of arrival among requests of one item', () => {
    const queue = newQueue()
    for (const input of ['a', 'b', 'c']) request(queue, 'k', [input])
    expect(inputsOf(queue.take(() => 2))).toEqual(['a', 'b'])
    expect(inputsOf(queue.take(() => 2))).toEqual(['c'])
  })

  it('takes one item of each request in turn', () => {
    const queue = newQueue()
    request(queue, 'k', ['a1', 'a2', 'a3'])
    request(queue, 'k', ['b1', 'b2'])
    request(queue, 'k', ['c1'])
    expect(inputsOf(queue.take(() => 6))).toEqual(['a1', 'b1', 'c1', 'a2', 'b2', 'a3'])
  })

  it('goes on with the turns where the last batch ended', () => {
    const queue = newQueue()
    request(queue, 'k', ['a1', 'a2', 'a3'])
    request(queue, 'k', ['b1', 'b2'])
    expect(inputsOf(queue.take(() => 1))).toEqual(['a1'])
    expect(inputsOf(queue.take(() => 2))).toEqual(['b1', 'a2'])
    expect(inputsOf(queue.take(() => 2))).toEqual(['b2', 'a3'])
  })

  it('serves a newcomer before the second turn of a large request', () => {
    const queue = newQueue()
    request(queue, 'k', ['a1', 'a2', 'a3', 'a4', 'a5'])
    queue.take(() => 2)
    request(queue, 'k', ['b1'])
    expect(inputsOf(queue.take(() => 2))).toEqual(['a3', 'b1'])
  })

  it('takes items of one key only', () => {
    const queue = newQueue()
    request(queue, 'k', ['a'])
    request(queue, 'other', ['b'])
    request(queue, 'k', ['c'])
    expect(inputsOf(queue.take(() => 4))).toEqual(['a', 'c'])
    expect(inputsOf(queue.take(() => 4))).toEqual(['b'])
  })

  it('lets keys take turns', () => {
    const queue = newQueue()
    request(queue, 'k', ['a1', 'a2', 'a3', 'a4'])
    request(queue, 'other', ['b1', 'b2', 'b3'])
    const batches = [1, 2, 3, 4].map(() => inputsOf(queue.take(() => 2)))
    expect(batches).toEqual([['a1', 'a2'], ['b1', 'b2'], ['a3', 'a4'], ['b3']])
  })

  it('takes of the key asked for, whosever turn it is', () => {
    const queue = newQueue()
    request(queue, 'k', ['a'])
    request(queue, 'other', ['b'])
    expect(inputsOf(queue.take(() => 4, { key: 'other' }))).toEqual(['b'])
    expect(inputsOf(queue.take(() => 4))).toEqual(['a'])
  })

  it('passes over a job that does not fit, which keeps its turn', () => {
    const queue = newQueue()
    const passedOver = request(queue, 'k', ['a1', 'a2'])
    request(queue, 'k', ['b1', 'b2'])
    expect(inputsOf(queue.take(() => 1, { fits: (job) => job !== passedOver.job }))).toEqual(['b1'])
    expect(inputsOf(queue.take(() => 4))).toEqual(['a1', 'b2', 'a2'])
  })

  it('takes of the first key that has something that fits', () => {
    const queue = newQueue()
    request(queue, 'k', ['a'])
    request(queue, 'other', ['b'])
    expect(inputsOf(queue.take(() => 4, { fits: ({ inputs }) => inputs.includes('b') }))).toEqual(['b'])
    expect(queue.take(() => 4, { fits: () => false })).toEqual([])
  })

  it('takes nothing when nothing waits', () => {
    expect(newQueue().take(() => 4)).toEqual([])
  })

  it('counts what waits', () => {
    const queue = newQueue()
    request(queue, 'k', ['a', 'b', 'c'])
    request(queue, 'other', ['d'])
    expect(queue.size).toBe(4)
    queue.take(() => 2)
    expect(queue.size).toBe(2)
  })

  it('tells what waits under each key, keys in the order of turns', () => {
    const queue = newQueue()
    request(queue, 'k', ['a1', 'a2', 'a3'], 10)
    request(queue, 'other', ['b1'], 20)
    request(queue, 'k', ['c1'], 30)
    queue.take(() => 1)
    expect([...queue.waiting()]).toEqual([
      ['other', { count: 1, oldestAt: 20 }],
      ['k', { count: 3, oldestAt: 10 }],
    ])
  })

  it('tells how many of each key leave before the last input of a new request, which has its turn after all others', () => {
    const queue = newQueue()
    request(queue, 'k', ['a1', 'a2', 'a3', 'a4'])
    request(queue, 'other', ['c1', 'c2'])
    request(queue, 'k', ['b1'])
    expect([1, 2, 9].map((inputs) => Object.fromEntries(queue.ahead(inputs)))).toEqual([
      { k: 2, other: 1 },
      { k: 3, other: 2 },
      { k: 5, other: 2 },
    ])
  })

  it('takes as many as the key in turn allows', () => {
    const queue = newQueue()
    request(queue, 'k', ['a1', 'a2', 'a3'])
    request(queue, 'other', ['b1', 'b2', 'b3'])
    const max = (key: string) => (key === 'k' ? 1 : 2)
    const batches = [1, 2, 3].map(() => inputsOf(queue.take(max)))
    expect(batches).toEqual([['a1'], ['b1', 'b2'], ['a2']])
    expect(inputsOf(queue.take(max, { key: 'other' }))).toEqual(['b3'])
  })

  describe('remove', () => {
    it('takes out what still waits of a job, and nothing of the others', () => {
      const queue = newQueue()
      const leaves = request(queue, 'k', ['a1', 'a2', 'a3'])
      request(queue, 'k', ['b1', 'b2'])
      queue.take(() => 2)
      queue.remove(leaves)
      expect(queue.size).toBe(1)
      expect(inputsOf(queue.take(() => 4))).toEqual(['b2'])
    })

    it('changes nothing when no input of the job waits any more', () => {
      const queue = newQueue()
      const job = request(queue, 'k', ['a'])
      request(queue, 'k', ['b'])
      queue.take(() => 1)
      queue.remove(job)
      queue.remove(job)
      expect(queue.size).toBe(1)
    })

    it('leaves no turn to a job without inputs', () => {
      const queue = newQueue()
      const job = request(queue, 'k', ['a'])
      request(queue, 'other', ['b'])
      request(queue, 'empty', [])
      queue.remove(job)
      expect([...queue.waiting().keys()]).toEqual(['other'])
      expect(inputsOf(queue.take(() => 4))).toEqual(['b'])
    })
  })
  describe('of two priorities', () => {
    it('takes normal inputs first, and fills up with low ones', () => {
      const queue = newQueue()
      bulk(queue, 'k', many('low', 4))
      request(queue, 'k', ['a', 'b'])
      expect(inputsOf(queue.take(() => 4))).toEqual(['a', 'b', 'low0', 'low1'])
    })

    it('gives low work one turn in eight while both wait', () => {
      const queue = newQueue()
      bulk(queue, 'k', many('low', 100))
      bulk(queue, 'k', many('also', 100))
      for (let i = 0; i < 5; i++) request(queue, 'k', many(`n${i}-`, 20))
      const order = [3, 32, 1, 28].flatMap((max) => inputsOf(queue.take(() => max)))
      const isLow = order.map((input) => !input?.startsWith('n'))
      expect(isLow).toEqual(order.map((_, i) => i % 8 === 7))
      expect(order.filter((_, i) => isLow[i])).toEqual([
        'low0',
        'also0',
        'low1',
        'also1',
        'low2',
        'also2',
        'low3',
        'also3',
      ])
    })

    it('owes low work nothing for the time when none waited', () => {
      const queue = newQueue()
      request(queue, 'k', many('a', 100))
      queue.take(() => 50)
      bulk(queue, 'k', ['low'])
      expect(inputsOf(queue.take(() => 8)).at(-1)).toBe('low')
    })

    it('asks low work for nothing that it took while nobody else waited', () => {
      const queue = newQueue()
      bulk(queue, 'k', many('low', 100))
      queue.take(() => 50)
      request(queue, 'k', many('a', 100))
      expect(inputsOf(queue.take(() => 8)).at(-1)).toBe('low50')
    })

    it('gives low work of a key of its own whole batches, and as many turns to the others in return', () => {
      const queue = newQueue()
      bulk(queue, 'low', many('low', 1000))
      request(queue, 'k', many('a', 1000))
      const keys = Array.from({ length: 18 }, () => queue.take(() => 10)[0]?.job.key)
      // One batch in eight, once the first seven inputs have left.
      expect(keys.map((key, i) => (key === 'low' ? i : -1)).filter((i) => i >= 0)).toEqual([1, 9, 17])
    })

    it('passes over low work that does not fit, and does not owe it more than one turn', () => {
      const queue = newQueue()
      bulk(queue, 'k', many('low', 100))
      request(queue, 'k', many('a', 100))
      const fits = ({ priority }: TestJob): boolean => priority === 'normal'
      expect(queue.take(() => 50, { fits })).toHaveLength(50)
      expect(inputsOf(queue.take(() => 3))).toEqual(['low0', 'a50', 'a51'])
    })

    it('says whose turn is next, as it takes', () => {
      const queue = newQueue()
      bulk(queue, 'other', many('low', 20))
      request(queue, 'k', many('a', 20))
      for (let i = 0; i < 40; i++) {
        const next = queue.peek()
        expect([...queue.waiting().keys()][0]).toBe(next?.job.key)
        expect(queue.take(() => 1)).toEqual([next])
      }
      expect(queue.peek()).toBeUndefined()
    })

    it('counts both as waiting, and takes out what a low job has left', () => {
      const queue = newQueue()
      const job = bulk(queue, 'k', many('low', 5))
      request(queue, 'k', ['a'])
      expect(queue.size).toBe(6)
      expect([...queue.waiting()]).toEqual([['k', { count: 6, oldestAt: 0 }]])
      queue.take(() => 2)
      queue.remove(job)
      expect(queue.size).toBe(0)
    })

    it('tells a low request that all normal inputs leave before it, and its turns of the low ones', () => {
      const queue = newQueue()
      request(queue, 'k', many('a', 30))
      request(queue, 'other', many('b', 3))
      bulk(queue, 'k', many('low', 9))
      expect(Object.fromEntries(queue.ahead(2, 'low'))).toEqual({ k: 32, other: 3 })
    })

    it('tells a normal request of those low inputs alone whose turns come before its last', () => {
      const queue = newQueue()
      request(queue, 'k', many('a', 30))
      for (let i = 0; i < 50; i++) bulk(queue, 'low', ['b'])
      expect(Object.fromEntries(queue.ahead(1))).toEqual({ k: 1 })
      expect(Object.fromEntries(queue.ahead(7))).toEqual({ k: 7, low: 1 })
      expect(Object.fromEntries(queue.ahead(100))).toEqual({ k: 30, low: 18 })
      expect(Object.fromEntries(queue.ahead(Number.POSITIVE_INFINITY))).toEqual({ k: 30, low: 50 })
    })

    it.each([1, 2, 3, 4, Math.floor(Math.random() * 2 ** 31)])(
      'keeps its promises to both in any order of events (seed %i)',
      (seed) => {
        const next = randomNumbers(seed)
        const between = (low: number, high: number): number => low + Math.floor(next() * (high - low + 1))
        const queue = newQueue()
        const keys = between(1, 3)
        const most = between(1, 32)
        const waiting: Record<Priority, number> = { normal: 0, low: 0 }
        /** Of what left since both began to wait. */
        let left: Record<Priority, number> = { normal: 0, low: 0 }
        let sinceLow = 0
        const violations: string[] = []
        for (let step = 0; step < 2000; step++) {
          for (const priority of ['normal', 'low'] as const) {
            if (waiting[priority] > 200 || next() < 0.3) continue
            const inputs = many('x', between(1, 2 * most))
            request(queue, `k${between(1, keys)}`, inputs, 0, priority)
            waiting[priority] += inputs.length
          }
          for (const { job } of queue.take(() => most)) {
            waiting[job.priority]--
            const both = waiting.normal > 0 && waiting.low > 0
            left = both ? { ...left, [job.priority]: left[job.priority] + 1 } : { normal: 0, low: 0 }
            sinceLow = !both || job.priority === 'low' ? 0 : sinceLow + 1
            // With one key to the turn. A batch is not cut short, and one of low inputs has as many turns in advance.
            const longest = keys === 1 ? 7 : 7 * most + 7 + most
            if (sinceLow > longest) violations.push(`${sinceLow} normal inputs and no low one`)
            // With several keys, low inputs fill what others leave of a batch.
            if (keys === 1 && left.low > left.normal / 7 + 1)
              violations.push(`${left.low} low and ${left.normal} normal`)
          }
          if (queue.size !== waiting.normal + waiting.low) violations.push(`a size of ${queue.size}`)
        }
        expect(violations).toEqual([])
      },
    )
  })
})

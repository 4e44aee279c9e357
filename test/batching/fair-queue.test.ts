import { describe, expect, it } from 'vitest'
import { FairQueue, type Item } from '../../src/batching/fair-queue.ts'

interface TestJob {
  key: string
  inputs: string[]
  submittedAt: number
}

/** Queues one request's inputs under a key. */
function request(queue: FairQueue<TestJob>, key: string, inputs: string[], submittedAt = 0): TestJob {
  const job = { key, inputs, submittedAt }
  queue.add(job)
  return job
}

function newQueue() {
  return new FairQueue<TestJob>()
}

const inputsOf = (items: Item<TestJob>[]) => items.map(({ job, index }) => job.inputs[index])

describe('FairQueue', () => {
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
    expect(inputsOf(queue.take(() => 1, { fits: (job) => job !== passedOver }))).toEqual(['b1'])
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
})

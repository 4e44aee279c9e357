import { describe, expect, it } from 'vitest'
import { type BatchItem, FairQueue } from '../../src/batching/fair-queue.ts'

type Item = BatchItem<string, string, string>

/** Queues one request's inputs under a key. */
function request(queue: FairQueue<string, string, string>, key: string, inputs: string[], now = 0) {
  const lane = queue.lane(key)
  return { lane, items: inputs.map((input) => lane.push(input, undefined, now)) }
}

function newQueue() {
  return new FairQueue<string, string, string>()
}

const inputsOf = (items: Item[]): string[] => items.map(({ input }) => input)

describe('FairQueue', () => {
  it('keeps the order of one request', () => {
    const queue = newQueue()
    request(queue, 'k', ['a', 'b', 'c', 'd'])
    expect(inputsOf(queue.take(3))).toEqual(['a', 'b', 'c'])
    expect(inputsOf(queue.take(3))).toEqual(['d'])
  })

  it('keeps the order of arrival among requests of one item', () => {
    const queue = newQueue()
    for (const input of ['a', 'b', 'c']) request(queue, 'k', [input])
    expect(inputsOf(queue.take(2))).toEqual(['a', 'b'])
    expect(inputsOf(queue.take(2))).toEqual(['c'])
  })

  it('takes one item of each request in turn', () => {
    const queue = newQueue()
    request(queue, 'k', ['a1', 'a2', 'a3'])
    request(queue, 'k', ['b1', 'b2'])
    request(queue, 'k', ['c1'])
    expect(inputsOf(queue.take(6))).toEqual(['a1', 'b1', 'c1', 'a2', 'b2', 'a3'])
  })

  it('goes on with the turns where the last batch ended', () => {
    const queue = newQueue()
    request(queue, 'k', ['a1', 'a2', 'a3'])
    request(queue, 'k', ['b1', 'b2'])
    expect(inputsOf(queue.take(1))).toEqual(['a1'])
    expect(inputsOf(queue.take(2))).toEqual(['b1', 'a2'])
    expect(inputsOf(queue.take(2))).toEqual(['b2', 'a3'])
  })

  it('serves a newcomer before the second turn of a large request', () => {
    const queue = newQueue()
    request(queue, 'k', ['a1', 'a2', 'a3', 'a4', 'a5'])
    queue.take(2)
    request(queue, 'k', ['b1'])
    expect(inputsOf(queue.take(2))).toEqual(['a3', 'b1'])
  })

  it('takes items of one key only', () => {
    const queue = newQueue()
    request(queue, 'k', ['a'])
    request(queue, 'other', ['b'])
    request(queue, 'k', ['c'])
    expect(inputsOf(queue.take(4))).toEqual(['a', 'c'])
    expect(inputsOf(queue.take(4))).toEqual(['b'])
  })

  it('lets keys take turns', () => {
    const queue = newQueue()
    request(queue, 'k', ['a1', 'a2', 'a3', 'a4'])
    request(queue, 'other', ['b1', 'b2', 'b3'])
    const batches = [1, 2, 3, 4].map(() => inputsOf(queue.take(2)))
    expect(batches).toEqual([['a1', 'a2'], ['b1', 'b2'], ['a3', 'a4'], ['b3']])
  })

  it('takes of the key asked for, whosever turn it is', () => {
    const queue = newQueue()
    request(queue, 'k', ['a'])
    request(queue, 'other', ['b'])
    expect(inputsOf(queue.take(4, { key: 'other' }))).toEqual(['b'])
    expect(inputsOf(queue.take(4))).toEqual(['a'])
  })

  it('passes over what does not fit, which keeps its place', () => {
    const queue = newQueue()
    request(queue, 'k', ['a1', 'a2'])
    request(queue, 'k', ['b1'])
    const fits = ({ input }: Item) => input !== 'a1'
    expect(inputsOf(queue.take(2, { fits }))).toEqual(['a2', 'b1'])
    expect(inputsOf(queue.take(2))).toEqual(['a1'])
  })

  it('takes of the first key that has something that fits', () => {
    const queue = newQueue()
    request(queue, 'k', ['a'])
    request(queue, 'other', ['b'])
    expect(inputsOf(queue.take(4, { fits: ({ input }) => input === 'b' }))).toEqual(['b'])
    expect(queue.take(4, { fits: () => false })).toEqual([])
  })

  it('takes nothing when nothing waits', () => {
    expect(newQueue().take(4)).toEqual([])
  })

  it('counts what waits', () => {
    const queue = newQueue()
    request(queue, 'k', ['a', 'b', 'c'])
    request(queue, 'other', ['d'])
    expect(queue.size).toBe(4)
    queue.take(2)
    expect(queue.size).toBe(2)
  })

  it('tells what waits under each key, keys in the order of turns', () => {
    const queue = newQueue()
    request(queue, 'k', ['a1', 'a2', 'a3'], 10)
    request(queue, 'other', ['b1'], 20)
    request(queue, 'k', ['c1'], 30)
    queue.take(1)
    expect([...queue.waiting()]).toEqual([
      ['other', { count: 1, oldestAt: 20 }],
      ['k', { count: 3, oldestAt: 10 }],
    ])
  })

  describe('remove', () => {
    it('takes an item out of the middle', () => {
      const queue = newQueue()
      const { items } = request(queue, 'k', ['a', 'b', 'c'])
      expect(queue.remove(items[1] as Item)).toBe(true)
      expect(queue.size).toBe(2)
      expect(inputsOf(queue.take(4))).toEqual(['a', 'c'])
    })

    it('says so when the item does not wait any more', () => {
      const queue = newQueue()
      const { items } = request(queue, 'k', ['a'])
      queue.take(1)
      expect(queue.remove(items[0] as Item)).toBe(false)
    })

    it('leaves no turn to a request without items', () => {
      const queue = newQueue()
      const { items } = request(queue, 'k', ['a'])
      request(queue, 'other', ['b'])
      queue.remove(items[0] as Item)
      expect([...queue.waiting().keys()]).toEqual(['other'])
      expect(inputsOf(queue.take(4))).toEqual(['b'])
    })
  })

  describe('an item that a second request joined', () => {
    /** The last of a large request's items, also wanted by a small request. */
    function shared() {
      const queue = newQueue()
      const large = request(queue, 'k', ['a1', 'a2', 'a3', 'a4', 'shared'])
      const last = large.items[4] as Item
      queue.lane('k').join(last)
      return { queue, last }
    }

    it('leaves at the turn of whichever request is first', () => {
      expect(inputsOf(shared().queue.take(2))).toEqual(['a1', 'shared'])
    })

    it('is taken once', () => {
      const { queue } = shared()
      expect(inputsOf(queue.take(9))).toEqual(['a1', 'shared', 'a2', 'a3', 'a4'])
      expect(queue.take(9)).toEqual([])
    })

    it('has one place', () => {
      const { queue } = shared()
      expect(queue.size).toBe(5)
      expect(queue.waiting().get('k')?.count).toBe(5)
    })

    it('is removed from both', () => {
      const { queue, last } = shared()
      expect(queue.remove(last)).toBe(true)
      expect(inputsOf(queue.take(9))).toEqual(['a1', 'a2', 'a3', 'a4'])
    })

    it('is not queued again when it was taken already', () => {
      const { queue, last } = shared()
      queue.take(9)
      queue.lane('k').join(last)
      expect(queue.size).toBe(0)
      expect(queue.take(9)).toEqual([])
    })
  })
})

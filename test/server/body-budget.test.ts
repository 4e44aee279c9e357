import { describe, expect, it } from 'vitest'
import { BodyBudget } from '../../src/server/body-budget.ts'

describe('the bytes of all bodies together', () => {
  const budget = (): BodyBudget => new BodyBudget({ maxBodyBytes: 1000, maxPendingBytes: 1500 })

  const overloaded = expect.objectContaining({ code: 'overloaded', retryAfterS: 1 })

  it('are counted as they come, whatever was announced, and given back', () => {
    const held = budget()
    const bodies = ['a', 'b', 'c'].map((address) => held.open(address, 1000, 0))
    expect(held.pendingBytes).toBe(0)
    bodies[0]?.count(900, 0)
    bodies[1]?.count(600, 0)
    expect(() => bodies[2]?.count(1, 0)).toThrow(overloaded)
    expect(() => held.open('d', 1, 0)).toThrow(overloaded)
    bodies[0]?.close()
    bodies[0]?.close()
    expect(held.pendingBytes).toBe(600)
    bodies[2]?.count(700, 0)
    for (const body of bodies) body.close()
    expect(held.pendingBytes).toBe(0)
  })

  it('of one body are bounded too', () => {
    const tooLarge = expect.objectContaining({ code: 'payload_too_large' })
    expect(() => budget().open('a', 1001, 0)).toThrow(tooLarge)
    const chunked = budget().open('a', 0, 0)
    chunked.count(1000, 0)
    expect(() => chunked.count(1, 0)).toThrow(tooLarge)
  })

  it('leave room for other addresses, whatever one of them sends', () => {
    const held = new BodyBudget({ maxBodyBytes: 1000, maxPendingBytes: 4000 })
    const greedy = [1, 2, 3].map(() => held.open('a', 1000, 0))
    greedy[0]?.count(1000, 0)
    greedy[1]?.count(1000, 0)
    expect(() => greedy[2]?.count(1, 0)).toThrow(overloaded)
    held.open('b', 1000, 0).count(1000, 0)
    greedy[0]?.close()
    greedy[2]?.count(1000, 0)
  })
})

describe('a body that comes too slowly', () => {
  it('is one without a byte for five seconds, or under 8 KiB a second after the first five', () => {
    const open = () => new BodyBudget({ maxBodyBytes: 1e6, maxPendingBytes: 1e7 }).open('a', 1e6, 1000)
    expect([open().isTooSlow(6000), open().isTooSlow(6001)]).toEqual([false, true])
    const slow = open()
    for (let second = 1; second <= 10; second++) slow.count(4000, 1000 + second * 1000)
    expect([slow.isTooSlow(1000 + 9000), slow.isTooSlow(1000 + 11_000)]).toEqual([false, true])
    const steady = open()
    for (let second = 1; second <= 30; second++) steady.count(9000, 1000 + second * 1000)
    expect(steady.isTooSlow(31_000)).toBe(false)
  })
})

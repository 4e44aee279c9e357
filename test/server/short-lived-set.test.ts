import { describe, expect, it } from 'vitest'
import { ShortLivedSet } from '../../src/server/short-lived-set.ts'
import { grownByMinorCollections } from '../helpers/minor-collections.ts'

describe('ShortLivedSet', () => {
  it('has what was added and did not leave, in the order in which it came', () => {
    const set = new ShortLivedSet<{ name: string }>()
    const leave = ['a', 'b', 'c'].map((name) => set.add({ name }))
    leave[1]?.()
    leave[1]?.()
    expect([...set].map(({ name }) => name)).toEqual(['a', 'c'])
    expect(set.size).toBe(2)
  })

  it('keeps nothing in memory of what has left, where a Set does', () => {
    const shortLived = new ShortLivedSet<object>()
    expect(grownByMinorCollections((value) => shortLived.add(value))).toBeLessThan(2)
    const set = new Set<object>()
    const add = (value: object) => {
      set.add(value)
      return () => set.delete(value)
    }
    expect(grownByMinorCollections(add)).toBeGreaterThan(10)
  })
})

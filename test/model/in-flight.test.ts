import { describe, expect, it } from 'vitest'
import { InFlight } from '../../src/model/in-flight.ts'
import { FakeClock, settle } from '../helpers/fake-clock.ts'

function create() {
  const clock = new FakeClock()
  const inFlight = new InFlight()
  const wait = () => {
    const state = { done: false }
    void inFlight.ended(clock, 1000).then(() => {
      state.done = true
    })
    return state
  }
  return { clock, inFlight, wait }
}

describe('InFlight', () => {
  it('waits for the requests that have begun, and not for later ones', async () => {
    const { clock, inFlight, wait } = create()
    const [first, second] = [inFlight.begin(), inFlight.begin()]
    const waiting = wait()
    inFlight.begin()
    first()
    first()
    await settle()
    expect(waiting.done).toBe(false)
    second()
    await settle()
    expect([waiting.done, clock.pending]).toEqual([true, 0])
  })

  it('does not wait where there is no request', async () => {
    const { inFlight, wait } = create()
    inFlight.begin()()
    const waiting = wait()
    await settle()
    expect(waiting.done).toBe(true)
  })

  it('does not wait for longer than told', async () => {
    const { clock, inFlight, wait } = create()
    inFlight.begin()
    const waiting = wait()
    await clock.advance(999)
    expect(waiting.done).toBe(false)
    await clock.advance(1)
    expect(waiting.done).toBe(true)
  })
})

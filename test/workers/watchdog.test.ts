import { describe, expect, it } from 'vitest'
import { Watchdog } from '../../src/workers/watchdog.ts'
import { StallingClock } from '../batching/fake-engine.ts'

function setUp() {
  const clock = new StallingClock()
  const barks: number[] = []
  const watchdog = new Watchdog(clock, 5000, () => barks.push(clock.now()))
  return { clock, barks, watchdog }
}

describe('Watchdog', () => {
  it('calls once when it has not been fed in time', async () => {
    const { clock, barks, watchdog } = setUp()
    watchdog.feed()
    await clock.advance(4999)
    expect(barks).toEqual([])
    await clock.advance(20_000)
    expect(barks).toEqual([5000])
  })

  it('waits again each time it is fed, and no more when it is stopped', async () => {
    const { clock, barks, watchdog } = setUp()
    for (let i = 0; i < 5; i++) {
      watchdog.feed()
      await clock.advance(4000)
    }
    watchdog.stop()
    await clock.advance(20_000)
    expect([barks, clock.pending]).toEqual([[], 0])
  })

  it('does not take this process’s own standstill for silence', async () => {
    const { clock, barks, watchdog } = setUp()
    watchdog.feed()
    clock.stall(31_500)
    await clock.advance(5000)
    expect(barks).toEqual([])
    await clock.advance(5000)
    expect(barks).toHaveLength(1)
  })

  it('lets a message that has come be read before the last word', async () => {
    const { clock, barks, watchdog } = setUp()
    watchdog.feed()
    // In the turn in which the timer falls due, the message is read after it.
    clock.after(5000, () => watchdog.feed())
    await clock.advance(5000)
    expect(barks).toEqual([])
  })
})

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Serving } from '../../src/server/serving.ts'
import { shutDown } from '../../src/server/shutdown.ts'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

/** A server that ends when it is told to, and what was asked of it. */
function setUp({ wasServing = true } = {}) {
  const asked: string[] = []
  let end = (): void => {}
  const serving = {
    connections: { closeUnused: () => asked.push('close unused') },
    beginDraining: () => {
      asked.push('drain')
      return wasServing
    },
    stop: () => {
      asked.push('stop')
      return new Promise<void>((resolve) => {
        end = resolve
      })
    },
  } as unknown as Serving
  return { serving, asked, end: () => end() }
}

describe('shutDown', () => {
  it.each([
    [3000, 3000],
    [0, 100],
  ])('with a delay of %d ms serves on for %d ms, and stops then', async (drainDelayMs, served) => {
    const { serving, asked, end } = setUp()
    const clean = shutDown(serving, { drainDelayMs, timeoutMs: 10_000 })
    await vi.advanceTimersByTimeAsync(served - 1)
    expect(asked).toEqual(['drain'])
    await vi.advanceTimersByTimeAsync(1)
    expect(asked).toEqual(['drain', 'stop'])
    end()
    expect(await clean).toBe(true)
  })

  it('stops at once where no balancer ever saw it ready', async () => {
    const { serving, asked, end } = setUp({ wasServing: false })
    const clean = shutDown(serving, { drainDelayMs: 600_000, timeoutMs: 10_000 })
    await vi.advanceTimersByTimeAsync(0)
    expect(asked).toEqual(['drain', 'stop'])
    end()
    expect(await clean).toBe(true)
  })

  it('closes what nobody needs while it waits, and no longer', async () => {
    const { serving, asked, end } = setUp()
    const clean = shutDown(serving, { drainDelayMs: 0, timeoutMs: 10_000 })
    await vi.advanceTimersByTimeAsync(300)
    const swept = () => asked.filter((what) => what === 'close unused').length
    expect(swept()).toBe(2)
    end()
    await clean
    await vi.advanceTimersByTimeAsync(1000)
    expect(swept()).toBe(2)
  })

  it('is cut short after the timeout, and says so', async () => {
    const { serving } = setUp()
    const clean = shutDown(serving, { drainDelayMs: 0, timeoutMs: 10_000 })
    await vi.advanceTimersByTimeAsync(10_100)
    expect(await clean).toBe(false)
  })
})

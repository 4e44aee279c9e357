import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { systemClock } from '../../src/batching/clock.ts'

describe('systemClock', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['performance', 'setTimeout', 'clearTimeout', 'Date'] })
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  it('counts milliseconds', () => {
    const start = systemClock.now()
    vi.advanceTimersByTime(250)
    expect(systemClock.now() - start).toBe(250)
  })

  it('does not jump when the time of day is set', () => {
    const start = systemClock.now()
    vi.setSystemTime(0)
    expect(systemClock.now()).toBe(start)
  })

  it('calls back once after the time asked for', () => {
    const callback = vi.fn()
    systemClock.after(10, callback)
    vi.advanceTimersByTime(9)
    expect(callback).not.toHaveBeenCalled()
    vi.advanceTimersByTime(1)
    expect(callback).toHaveBeenCalledTimes(1)
    vi.advanceTimersByTime(100)
    expect(callback).toHaveBeenCalledTimes(1)
  })

  it('does not call back once called off', () => {
    const callback = vi.fn()
    const callOff = systemClock.after(10, callback)
    callOff()
    vi.advanceTimersByTime(100)
    expect(callback).not.toHaveBeenCalled()
    expect(vi.getTimerCount()).toBe(0)
  })
})

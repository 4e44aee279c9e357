import { describe, expect, it } from 'vitest'
import { Pressure, type PressureLimits, type PressureSample } from '../../src/server/pressure.ts'

/** What is refused after these samples, one a second. */
function refused(limits: Partial<PressureLimits>, ...samples: Partial<PressureSample>[]): string | undefined {
  const pressure = new Pressure({ maxEventLoopDelayMs: 0, maxRssBytes: 0, ...limits })
  for (const sample of samples) pressure.observe({ eventLoopDelayMs: 0, rssBytes: 0, ...sample })
  expect(pressure.refusal?.retryAfterS ?? 1).toBe(1)
  return pressure.refusal?.message
}

const late = { eventLoopDelayMs: 600 }
const large = { rssBytes: 2e9 }

describe('Pressure', () => {
  it('refuses nothing before it has looked, nor within its limits', () => {
    expect(refused({ maxEventLoopDelayMs: 500, maxRssBytes: 1e9 })).toBeUndefined()
    expect(refused({ maxEventLoopDelayMs: 600, maxRssBytes: 2e9 }, late, { ...late, ...large })).toBeUndefined()
  })

  it('refuses while the event loop is late for longer than a sample', () => {
    expect(refused({ maxEventLoopDelayMs: 500 }, late)).toBeUndefined()
    expect(refused({ maxEventLoopDelayMs: 500 }, late, late)).toMatch(/time/)
    expect(refused({ maxEventLoopDelayMs: 500 }, late, late, {})).toBeUndefined()
    expect(refused({ maxEventLoopDelayMs: 500 }, { eventLoopDelayMs: Number.POSITIVE_INFINITY }, late)).toMatch(/time/)
  })

  it('refuses while memory is short, and no longer', () => {
    expect(refused({ maxRssBytes: 1e9 }, large)).toMatch(/memory/)
    expect(refused({ maxRssBytes: 1e9 }, large, {})).toBeUndefined()
  })

  it('knows no limit where none is set', () => {
    expect(refused({}, { ...late, ...large }, { ...late, ...large })).toBeUndefined()
  })
})

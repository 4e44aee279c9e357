import { describe, expect, it } from 'vitest'
import { type CpuReading, cpuBetween, cpuTotal, readCpu } from '../../bench/cpu.ts'

const reading = (http: Record<string, number>, engine: Record<string, number> = {}): CpuReading => ({
  http: new Map(Object.entries(http)),
  engine: new Map(Object.entries(engine)),
})

describe('CPU time between two readings', () => {
  it('is the sum over threads, new ones included, of each kind of process', () => {
    const before = reading({ a: 1e6, b: 2e6 }, { c: 5e6 })
    const after = reading({ a: 2e6, b: 4e6, new: 3e6 }, { c: 9e6 })
    expect(cpuBetween(before, after)).toEqual({ http: 6, engine: 4 })
    expect(cpuTotal({ http: 6, engine: 4 })).toBe(10)
  })

  it('does not fall when a thread ends', () => {
    expect(cpuBetween(reading({ a: 1e6, ended: 90e6 }), reading({ a: 2e6 }))).toEqual({ http: 1, engine: 0 })
  })

  it('is unknown, not 0, where nothing can be read', () => {
    expect(cpuTotal(cpuBetween(readCpu(-1), readCpu(-1)))).toBeNaN()
  })
})

describe.runIf(process.platform === 'linux')('CPU time of this process', () => {
  it('counts threads beside the first', () => {
    const { http } = readCpu(process.pid)
    expect(http.size).toBeGreaterThan(1)
    expect([...http.values()].every((ns) => Number.isFinite(ns))).toBe(true)
  })
})

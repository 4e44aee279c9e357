import { describe, expect, it } from 'vitest'
import type { GpuFacts } from '../../../src/model/engines/gpu-facts.ts'
import { GpuMonitor } from '../../../src/model/engines/gpu-monitor.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'

const gpu = (memoryUsedMb: number): GpuFacts => {
  return { index: 0, uuid: 'GPU-1', name: 'H200', driver: '570.1', memoryTotalMb: 140_000, memoryUsedMb }
}

describe('GpuMonitor', () => {
  it('keeps what it knows of the GPUs fresh', async () => {
    const clock = new FakeClock()
    let used = 1
    const monitor = new GpuMonitor(clock, async () => [gpu(used)])
    await monitor.start()
    expect(monitor.facts).toEqual([gpu(1)])
    used = 2
    await clock.advance(15_000)
    expect(monitor.facts).toEqual([gpu(2)])
    monitor.stop()
    expect(clock.pending).toBe(0)
  })

  it('goes on asking where a GPU was seen and does not answer once', async () => {
    const clock = new FakeClock()
    const answers = [[gpu(1)], undefined, [gpu(2)]]
    const monitor = new GpuMonitor(clock, async () => answers.shift())
    await monitor.start()
    await clock.advance(15_000)
    expect(monitor.facts).toEqual([])
    await clock.advance(15_000)
    expect(monitor.facts).toEqual([gpu(2)])
    monitor.stop()
  })

  it('asks once where there is none', async () => {
    const clock = new FakeClock()
    const monitor = new GpuMonitor(clock, async () => undefined)
    await monitor.start()
    expect([monitor.facts, clock.pending]).toEqual([[], 0])
  })

  it('asks no more once it was stopped in the middle of asking', async () => {
    const clock = new FakeClock()
    const monitor = new GpuMonitor(clock, async () => [gpu(1)])
    const starting = monitor.start()
    monitor.stop()
    await starting
    expect(clock.pending).toBe(0)
  })
})

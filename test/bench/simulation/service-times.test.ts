import { describe, expect, it } from 'vitest'
import { seededRandom } from '../../../bench/inputs.ts'
import {
  capacityPerS,
  meanMs,
  parseService,
  serviceTimeOf,
  serviceTimesOf,
} from '../../../bench/simulation/service-times.ts'
import { series } from '../../../bench/statistics.ts'
import { resultsOf } from '../results.ts'

describe('service times', () => {
  it('come from a line', () => {
    const times = parseService('fixed=4,per-input=1.2')
    expect([1, 8, 32].map((size) => meanMs(times, size))).toEqual([5.2, 13.6, 42.4].map((ms) => expect.closeTo(ms, 9)))
    expect(capacityPerS(times, 32)).toBeCloseTo(32_000 / 42.4, 6)
  })

  it.each(['', 'fixed', 'fixed=4,per=1', 'fixed=-1,per-input=1', 'fixed=0,per-input=0'])('refuses %j', (text) => {
    expect(() => parseService(text)).toThrow('--service')
  })

  it('are straight lines between the batch sizes that were measured, and beyond', () => {
    const points = [
      { batchSize: 1, ms: 2 },
      { batchSize: 8, ms: 9 },
      { batchSize: 32, ms: 57 },
    ]
    const times = { points, spread: 0 }
    expect([1, 4, 8, 20, 32, 33].map((size) => meanMs(times, size))).toEqual([2, 5, 9, 33, 57, 59])
    expect(meanMs({ points: points.slice(1, 2), spread: 0 }, 4)).toBe(4.5)
  })

  it('come from a run of the bench, in the precision that it served', () => {
    const raw = [
      { precision: 'int8' as const, batchSize: 32, imagesPerS: series([800, 1000, 1250]) },
      { precision: 'int8' as const, batchSize: 1, imagesPerS: series([500, 500, 500]) },
      { precision: 'fp32' as const, batchSize: 1, imagesPerS: series([100]) },
    ]
    const times = serviceTimesOf(resultsOf({ precision: 'int8', raw }))
    expect(times.points).toEqual([
      { batchSize: 1, ms: 2 },
      { batchSize: 32, ms: 32 },
    ])
    expect(times.spread).toBeCloseTo(Math.sqrt((0.25 ** 2 + 0.2 ** 2) / 6), 9)
    expect(() => serviceTimesOf(resultsOf({ raw: [] }))).toThrow('no raw engine')
  })

  it('spread about their mean as measured', () => {
    const draw = serviceTimeOf({ points: [{ batchSize: 1, ms: 10 }], spread: 0.2 })
    const random = seededRandom(1)
    const drawn = Array.from({ length: 20_000 }, () => draw(1, random))
    const mean = drawn.reduce((sum, ms) => sum + ms, 0) / drawn.length
    const deviation = Math.sqrt(drawn.reduce((sum, ms) => sum + (ms - mean) ** 2, 0) / drawn.length)
    expect(mean).toBeCloseTo(10, 0)
    expect(deviation / mean).toBeCloseTo(0.2, 1)
  })
})

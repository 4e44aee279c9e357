import type { Results } from '../results.ts'

/** What was measured of an engine alone, on all threads. */
export interface ServiceTimes {
  /** Ascending in batch size, at least one. */
  points: { batchSize: number; ms: number }[]
  /** Standard deviation of a batch's time, as a share of its mean. */
  spread: number
}

/** Mean milliseconds of a batch: straight lines between what was measured, and beyond it. One point alone is per input. */
export function meanMs({ points }: ServiceTimes, batchSize: number): number {
  const above = points.findIndex((point) => point.batchSize >= batchSize)
  const i = Math.max(1, above < 0 ? points.length - 1 : above)
  const [a, b] = points.length > 1 ? [points[i - 1], points[i]] : [{ batchSize: 0, ms: 0 }, points[0]]
  if (a === undefined || b === undefined) throw new Error('no service times')
  return a.ms + ((b.ms - a.ms) / (b.batchSize - a.batchSize)) * (batchSize - a.batchSize)
}

/** A batch's time, log-normal with the measured mean and spread. */
export function serviceTimeOf(times: ServiceTimes): (batchSize: number, random: () => number) => number {
  const variance = Math.log(1 + times.spread ** 2)
  return (batchSize, random) => {
    const mean = meanMs(times, batchSize)
    if (variance === 0) return mean
    return mean * Math.exp(Math.sqrt(variance) * normal(random) - variance / 2)
  }
}

/** Inputs a second that one replica can answer, where every batch is full. */
export function capacityPerS(times: ServiceTimes, maxBatchSize: number): number {
  return (maxBatchSize * 1000) / meanMs(times, maxBatchSize)
}

/** `fixed=4,per-input=1.2,spread=0.05`: milliseconds, and a share. Throws an Error that says what is wrong. */
export function parseService(text: string): ServiceTimes {
  const values = new Map([['spread', 0]])
  for (const part of text.split(',')) {
    const [name = '', value = ''] = part.split('=')
    const number = Number(value)
    if (!['fixed', 'per-input', 'spread'].includes(name) || value === '' || !(number >= 0)) {
      throw new Error(`--service ${text}: must be fixed=<ms>,per-input=<ms>[,spread=<share>]`)
    }
    values.set(name, number)
  }
  const [fixed = 0, perInput = 0, spread = 0] = ['fixed', 'per-input', 'spread'].map((name) => values.get(name))
  if (fixed + perInput === 0) throw new Error(`--service ${text}: a batch must take some time`)
  return { points: [1, 2].map((batchSize) => ({ batchSize, ms: fixed + perInput * batchSize })), spread }
}

/**
 * Of the raw engine in a file that `npm run bench -- --json` wrote, in the precision that was served. The spread is that of
 * its windows, each the mean of many batches: of single batches it may be more.
 */
export function serviceTimesOf(results: Results): ServiceTimes {
  const served = results.raw.filter(({ precision }) => precision === results.precision)
  if (served.length === 0) throw new Error(`no raw engine in ${results.precision} in these results`)
  const points = served.map(({ batchSize, imagesPerS }) => ({ batchSize, ms: (batchSize * 1000) / imagesPerS.median }))
  const deviations = served.flatMap(({ imagesPerS }) => imagesPerS.values.map((value) => imagesPerS.median / value - 1))
  const spread = Math.sqrt(deviations.reduce((sum, each) => sum + each ** 2, 0) / deviations.length)
  return { points: points.sort((a, b) => a.batchSize - b.batchSize), spread }
}

/** Of mean 0 and deviation 1 (Box and Muller). */
function normal(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
}

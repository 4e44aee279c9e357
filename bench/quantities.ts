import { type Memory, total } from './memory.ts'
import { title } from './report.ts'
import type { HttpResult, Results } from './results.ts'
import { type Series, series } from './statistics.ts'

/** One figure of a run. Its name is the same in every run that measured it. */
export interface Quantity {
  name: string
  /** Which direction is better. */
  better: 'higher' | 'lower'
  series: Series
}

/** Everything that two runs can be compared by. */
export function quantities(results: Results): Quantity[] {
  const { startupMs, memory, raw, closed, open, null: ceiling, decode } = results
  return [
    { name: 'start-up, ms', better: 'lower', series: startupMs },
    ...resident('RSS at ready, MiB', memory),
    ...raw.map(({ precision, batchSize, imagesPerS }): Quantity => {
      return { name: `raw ${precision}, batch ${batchSize}, images/s`, better: 'higher', series: imagesPerS }
    }),
    ...closed.flatMap((result) => ofLoad(title(result), result)),
    // The rate follows the closed loop's best and differs between runs; its share does not.
    ...open.flatMap((result, i) => ofLoad(`open loop ${i + 1} (${result.input})`, result)),
    ...ceiling.flatMap((result) => ofLoad(`null engine, ${title(result)}`, result)),
    ...decode.map(({ input, picturesPerS }): Quantity => {
      return { name: `sharp alone, ${input}, pictures/s`, better: 'higher', series: picturesPerS }
    }),
  ]
}

function ofLoad(name: string, { answersPerS, p50Ms, p99Ms, cpuMs, memory }: HttpResult): Quantity[] {
  return [
    { name: `${name}, answers/s`, better: 'higher', series: answersPerS },
    { name: `${name}, p50 ms`, better: 'lower', series: p50Ms },
    { name: `${name}, p99 ms`, better: 'lower', series: p99Ms },
    { name: `${name}, HTTP CPU ms`, better: 'lower', series: cpuMs.http },
    { name: `${name}, engine CPU ms`, better: 'lower', series: cpuMs.engine },
    ...resident(`${name}, RSS MiB`, memory),
  ]
}

function resident(name: string, memory: Memory | undefined): Quantity[] {
  return memory === undefined ? [] : [{ name, better: 'lower', series: series([total(memory) / 2 ** 20]) }]
}

/**
 * `npm run bench:engines`: every engine that opens here, and tfjs-node op by op, on the default model with nothing
 * around it. Each runs in its own process, in turns, so that a slowdown of the machine affects all of them.
 */
import { pathToFileURL } from 'node:url'
import type { EngineName, EngineOptions } from '../src/engines/engine.ts'
import { type RepositoryEntry, readRepository } from '../src/repository/repository.ts'
import { engineOptions } from '../src/server/assemble.ts'
import { loadConfig } from '../src/server/config.ts'
import { runInChild } from './child-process.ts'
import { series } from './statistics.ts'

export interface EngineJob {
  /** `eager` is tfjs-node without a SavedModel. */
  engine: EngineName | 'eager'
  options: EngineOptions
  entry: RepositoryEntry
  batchSizes: number[]
  warmupS: number
  windowS: number
}

export interface EngineTimes {
  batchSize: number
  p50Ms: number
  imagesPerS: number
}

const ROUNDS = 3
const BATCH_SIZES = [1, 8, 32]
const CONTESTANTS = [
  { engine: 'onnx', precision: 'fp32' },
  { engine: 'onnx', precision: 'int8' },
  { engine: 'tensorflow', precision: 'fp32' },
  { engine: 'eager', precision: 'fp32' },
  { engine: 'wasm', precision: 'fp32' },
] as const

async function main(): Promise<void> {
  const config = loadConfig()
  const [entry] = await readRepository(config.MODEL_REPOSITORY)
  if (entry === undefined) throw new Error(`no model in ${config.MODEL_REPOSITORY}`)
  const rounds = new Map<string, EngineTimes[][]>()
  const absent = new Set<string>()
  for (let round = 0; round < ROUNDS; round++) {
    for (const { engine, precision } of CONTESTANTS) {
      const name = `${engine} ${precision}`
      if (absent.has(name)) continue
      const options = { ...engineOptions(config), precision }
      const job = { engine, options, entry, batchSizes: BATCH_SIZES, warmupS: 1, windowS: 3 }
      try {
        const times = await runInChild<EngineJob, EngineTimes[]>(new URL('./engines-child.ts', import.meta.url), job)
        rounds.set(name, [...(rounds.get(name) ?? []), times])
      } catch {
        absent.add(name)
      }
    }
  }
  const table = [...rounds].map(([name, all]) => ({
    engine: name,
    ...Object.fromEntries(
      BATCH_SIZES.flatMap((size, i) => [
        [`p50 ms, ${size}`, Number(series(all.map((times) => times[i]?.p50Ms ?? Number.NaN)).median.toFixed(2))],
        [`images/s, ${size}`, Math.round(series(all.map((times) => times[i]?.imagesPerS ?? Number.NaN)).median)],
      ]),
    ),
  }))
  console.table(table)
  for (const name of absent) console.log(`${name} does not run here`)
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await main()

import { openEngine } from '../src/engines/open.ts'
import { loadExtras, loadGraph } from '../src/repository/load-graph.ts'
import { answerJobs } from './child-process.ts'
import { openEager } from './eager-tfjs.ts'
import type { EngineJob, EngineTimes } from './engines.ts'
import { randomTensor, seededRandom } from './inputs.ts'
import { percentile } from './statistics.ts'

answerJobs<EngineJob, EngineTimes[]>(async (job) => {
  const run = await open(job)
  const times: EngineTimes[] = []
  for (const batchSize of job.batchSizes) {
    const input = randomTensor(job.entry.manifest.input, batchSize, seededRandom(batchSize))
    await millisecondsOf(() => run(input, batchSize), job.warmupS)
    const sorted = (await millisecondsOf(() => run(input, batchSize), job.windowS)).sort((a, b) => a - b)
    const total = sorted.reduce((sum, ms) => sum + ms, 0)
    times.push({ batchSize, p50Ms: percentile(sorted, 0.5), imagesPerS: (1000 * batchSize * sorted.length) / total })
  }
  return times
})

async function open({ engine, options, entry }: EngineJob): Promise<(i: Float32Array, n: number) => unknown> {
  if (engine === 'eager') return openEager(loadGraph(entry), options.tensorflowDir)
  const opened = await openEngine(engine, options)
  const graph = await opened.engine.compile(loadGraph(entry), loadExtras(entry))
  return (input, batchSize) => graph.run({ input, batchSize })
}

/** Of each run, until `seconds` have passed. */
async function millisecondsOf(run: () => unknown, seconds: number): Promise<number[]> {
  const all: number[] = []
  const end = performance.now() + 1000 * seconds
  while (performance.now() < end) {
    const start = performance.now()
    await run()
    all.push(performance.now() - start)
  }
  return all
}

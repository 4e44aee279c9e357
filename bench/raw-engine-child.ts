import type { CompiledGraph } from '../src/engines/engine.ts'
import { openEngine } from '../src/engines/open.ts'
import { loadExtras, loadGraph } from '../src/repository/load-graph.ts'
import { answerJobs } from './child-process.ts'
import { randomTensor, seededRandom } from './inputs.ts'
import type { RawEngineJob, RawThroughput } from './raw-engine.ts'

answerJobs<RawEngineJob, RawThroughput | { refused: string }>(async (job) => {
  const { batchSizes, entry, timing } = job
  const graph = await compile(job)
  if (graph instanceof Error) return { refused: graph.message }
  const measured: RawThroughput = { precision: graph.precision, sizes: [] }
  for (const batchSize of batchSizes) {
    const input = randomTensor(entry.manifest.input, batchSize, seededRandom(batchSize))
    const run = (): Promise<unknown> => graph.run({ input, batchSize })
    await runsPerSecond(run, timing.warmupS)
    const imagesPerS: number[] = []
    for (let i = 0; i < timing.windows; i++) imagesPerS.push(batchSize * (await runsPerSecond(run, timing.windowS)))
    measured.sizes.push({ batchSize, imagesPerS })
  }
  return measured
})

async function compile({ engine, options, entry }: RawEngineJob): Promise<CompiledGraph | Error> {
  try {
    const opened = await openEngine(engine, options)
    return await opened.engine.compile(loadGraph(entry), loadExtras(entry))
  } catch (error) {
    return error as Error
  }
}

/** Whole runs only: the last may end after `seconds`, and its whole time counts. */
async function runsPerSecond(run: () => Promise<unknown>, seconds: number): Promise<number> {
  const start = performance.now()
  let runs = 0
  let elapsedS = 0
  while (elapsedS < seconds) {
    await run()
    runs++
    elapsedS = (performance.now() - start) / 1000
  }
  return runs / elapsedS
}

import { openEngine } from '../src/model/engines/open.ts'
import { loadExtras, loadGraph } from '../src/model/load-graph.ts'
import { answerJob } from './child-process.ts'
import { randomTensor, seededRandom } from './inputs.ts'
import type { RawEngineJob, RawThroughput } from './raw-engine.ts'

answerJob<RawEngineJob, RawThroughput[]>(async ({ engine, options, entry, batchSizes, timing }) => {
  const opened = await openEngine(engine, options)
  const graph = await opened.engine.compile(loadGraph(entry), loadExtras(entry))
  const measured: RawThroughput[] = []
  for (const batchSize of batchSizes) {
    const input = randomTensor(entry.manifest.input, batchSize, seededRandom(batchSize))
    const run = (): Promise<unknown> => graph.run(input, batchSize)
    await runsPerSecond(run, timing.warmupS)
    const imagesPerS: number[] = []
    for (let i = 0; i < timing.windows; i++) imagesPerS.push(batchSize * (await runsPerSecond(run, timing.windowS)))
    measured.push({ batchSize, imagesPerS })
  }
  return measured
})

/** Whole runs only: the last one may end after `seconds`, and counts with all the time it took. */
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

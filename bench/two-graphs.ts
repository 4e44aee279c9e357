import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { OnnxModel } from '../src/engines/onnx/schema.ts'
import { openModel } from '../src/engines/onnx/sessions.ts'
import { largestRelativeDifference } from '../src/engines/relative-difference.ts'
import { loadExtras, loadGraph } from '../src/repository/load-graph.ts'
import { parseManifest } from '../src/repository/manifest.ts'
import { randomTensor, seededRandom } from './inputs.ts'
import { pairedRatio, series } from './statistics.ts'

/** The model of a version folder. */
export function readModel(directory: string) {
  const entry = { directory, manifest: parseManifest(readFileSync(join(directory, 'model.json'), 'utf8')) }
  return { shape: entry.manifest.input, graph: loadGraph(entry), ...loadExtras(entry) }
}

interface Options {
  threads: number
  batches: number[]
  /** Turns of each, beside one for warming up. */
  windows: number
  /** Seconds of a turn. */
  window: number
}

/** Images per second of each run, in windows taken in turn, so that whatever else the machine does meets all. */
export async function ratesInTurns(
  runs: (() => Promise<unknown>)[],
  { batch, windows, window }: Pick<Options, 'windows' | 'window'> & { batch: number },
): Promise<number[][]> {
  const rates = runs.map((): number[] => [])
  for (let turn = -1; turn < windows; turn++) {
    for (const [i, run] of runs.entries()) {
      const start = performance.now()
      let images = 0
      for (; performance.now() - start < 1000 * window; images += batch) await run()
      // The first of each is warm-up.
      if (turn >= 0) rates[i]?.push((1000 * images) / (performance.now() - start))
    }
  }
  return rates
}

/** Runs two ONNX forms of one model in turns in one process, and prints their rates. The ratio is the second's to the first's. */
export async function compareGraphs(
  { shape, graph }: Pick<ReturnType<typeof readModel>, 'shape' | 'graph'>,
  forms: Record<string, OnnxModel>,
  { threads, batches, windows, window }: Options,
): Promise<void> {
  const sessions = []
  for (const form of Object.values(forms)) sessions.push(await openModel(form, { threads }))
  const rows = []
  for (const batch of batches) {
    const input = randomTensor(shape, batch, seededRandom(batch))
    const answers = []
    for (const session of sessions) answers.push((await session.run(input, batch))[graph.outputs.embedding])
    const runs = sessions.map((session) => () => session.run(input, batch))
    const rates = await ratesInTurns(runs, { batch, windows, window })
    const ratio = pairedRatio(rates[1] ?? [], rates[0] ?? [])
    const [first, second] = answers as [Float32Array, Float32Array]
    rows.push({
      batch,
      ...Object.fromEntries(
        Object.keys(forms).map((name, i) => [`${name}, images/s`, series(rates[i] ?? []).median.toFixed(1)]),
      ),
      ratio: `${ratio.median.toFixed(2)} (${ratio.lower.toFixed(2)} - ${ratio.upper.toFixed(2)})`,
      'largest difference': largestRelativeDifference(second, first, batch).toExponential(1),
    })
  }
  console.table(rows)
}

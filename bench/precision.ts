/**
 * int8 against fp32 on the raw onnx engine, in windows taken in turn so that whatever else the machine does meets both:
 * `npx tsx bench/precision.ts [model-dir] [windows] [seconds per window]`.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { CompiledGraph } from '../src/engines/engine.ts'
import { openOnnx } from '../src/engines/onnx/onnx.ts'
import { loadExtras, loadGraph } from '../src/repository/load-graph.ts'
import { parseManifest } from '../src/repository/manifest.ts'
import { randomTensor, seededRandom } from './inputs.ts'
import { series } from './statistics.ts'

const BATCH_SIZES = [1, 8, 32]
const PRECISIONS = ['fp32', 'int8'] as const

const [directory = 'models/digits/1', windows = '9', seconds = '1'] = process.argv.slice(2)
const entry = { directory, manifest: parseManifest(readFileSync(join(directory, 'model.json'), 'utf8')) }

async function compile(precision: (typeof PRECISIONS)[number]): Promise<CompiledGraph> {
  const engine = await openOnnx({ precision, threads: 0, tensorflowDir: '' })
  return engine.compile(loadGraph(entry), loadExtras(entry))
}

async function imagesPerSecond(graph: CompiledGraph, input: Float32Array, batchSize: number, forS: number) {
  const start = performance.now()
  let [images, elapsedS] = [0, 0]
  while (elapsedS < forS) {
    await graph.run({ input, batchSize })
    images += batchSize
    elapsedS = (performance.now() - start) / 1000
  }
  return images / elapsedS
}

const graphs = { fp32: await compile('fp32'), int8: await compile('int8') }
const rows = []
for (const batchSize of BATCH_SIZES) {
  const input = randomTensor(entry.manifest.input, batchSize, seededRandom(batchSize))
  const rates = { fp32: [] as number[], int8: [] as number[] }
  for (let window = -1; window < Number(windows); window++) {
    for (const precision of PRECISIONS) {
      const rate = await imagesPerSecond(graphs[precision], input, batchSize, Number(seconds))
      // The first of each is warm-up.
      if (window >= 0) rates[precision].push(rate)
    }
  }
  const ratio = series(rates.int8.map((rate, i) => rate / (rates.fp32[i] as number)))
  rows.push({
    batch: batchSize,
    'fp32 images/s': Math.round(series(rates.fp32).median),
    'int8 images/s': Math.round(series(rates.int8).median),
    'int8 / fp32': ratio.median.toFixed(2),
    spread: `${ratio.min.toFixed(2)} to ${ratio.max.toFixed(2)}`,
  })
}
console.table(rows)

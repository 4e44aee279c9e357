/**
 * int8 against fp32 on the raw onnx engine, in windows taken in turn so that whatever else the machine does meets both:
 * `npx tsx bench/precision.ts [model-dir] [windows] [seconds per window]`.
 */
import type { CompiledGraph } from '../src/engines/engine.ts'
import { openOnnx } from '../src/engines/onnx/onnx.ts'
import { randomTensor, seededRandom } from './inputs.ts'
import { series } from './statistics.ts'
import { ratesInTurns, readModel } from './two-graphs.ts'

const BATCH_SIZES = [1, 8, 32]
const PRECISIONS = ['fp32', 'int8'] as const

const [directory = 'models/digits/1', windows = '9', seconds = '1'] = process.argv.slice(2)
const { shape, graph, ...extras } = readModel(directory)

async function compile(precision: (typeof PRECISIONS)[number]): Promise<CompiledGraph> {
  const engine = await openOnnx({ precision, threads: 0, tensorflowDir: '' })
  return engine.compile(graph, extras)
}

const graphs = { fp32: await compile('fp32'), int8: await compile('int8') }
const rows = []
for (const batchSize of BATCH_SIZES) {
  const input = randomTensor(shape, batchSize, seededRandom(batchSize))
  const runs = PRECISIONS.map((precision) => () => graphs[precision].run({ input, batchSize }))
  const timing = { batch: batchSize, windows: Number(windows), window: Number(seconds) }
  const [fp32 = [], int8 = []] = await ratesInTurns(runs, timing)
  const ratio = series(int8.map((rate, i) => rate / (fp32[i] as number)))
  rows.push({
    batch: batchSize,
    'fp32 images/s': Math.round(series(fp32).median),
    'int8 images/s': Math.round(series(int8).median),
    'int8 / fp32': ratio.median.toFixed(2),
    spread: `${ratio.min.toFixed(2)} to ${ratio.max.toFixed(2)}`,
  })
}
console.table(rows)

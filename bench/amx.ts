/**
 * int8 convolutions as im2col and onnxruntime's matrix product, the one place where it uses AMX, against its direct convolution, in
 * turns in one process: `npx tsx bench/amx.ts [model-dir] [windows] [seconds per window]` (docs/quantization.md).
 */
import { readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { int, OnnxBuilder } from '../src/engines/onnx/builder.ts'
import { buildOnnx } from '../src/engines/onnx/emitter.ts'
import { DATA_TYPE, encodeOnnx, type OnnxModel } from '../src/engines/onnx/schema.ts'
import { openModel } from '../src/engines/onnx/sessions.ts'
import { loadExtras, loadGraph } from '../src/repository/load-graph.ts'
import { parseManifest } from '../src/repository/manifest.ts'
import { randomTensor, seededRandom } from './inputs.ts'
import { series } from './statistics.ts'

const [directory = 'models/digits/1', windows = '9', seconds = '1'] = process.argv.slice(2)
const entry = { directory, manifest: parseManifest(readFileSync(join(directory, 'model.json'), 'utf8')) }
const graph = loadGraph(entry)
const { quantization } = loadExtras(entry)
if (quantization === undefined) throw new Error(`${directory} has no scales for int8`)

/**
 * onnxruntime takes the direct convolution where the zero point of what is read is constant. After a ReLU that is 0, for all
 * convolutions but the first: here it is N - N, with N the size of the batch, which no optimizer knows beforehand.
 */
function withComputedZeroPoints(model: OnnxModel): OnnxModel {
  const onnx = new OnnxBuilder()
  const shape = onnx.emit('Shape', [graph.input.name], 'amx.shape')
  const batch = onnx.emit('Gather', [shape, onnx.constant('amx.first', 'int64', BigInt64Array.of(0n))], 'amx.batch')
  const difference = onnx.emit('Sub', [batch, batch], 'amx.difference')
  const zero = onnx.emit('Cast', [difference], 'amx.zero', [int('to', DATA_TYPE.uint8)])
  const isZero = (name?: string) => model.initializers.find((tensor) => tensor.name === name)?.rawData[0] === 0
  const nodes = model.nodes.map((node) =>
    // Inputs of a QLinearConv: x, its scale, its zero point, and so on.
    node.opType === 'QLinearConv' && isZero(node.input[2]) ? { ...node, input: node.input.with(2, zero) } : node,
  )
  return { ...model, nodes: [...onnx.nodes, ...nodes], initializers: [...model.initializers, ...onnx.initializers] }
}

async function open(model: OnnxModel) {
  const session = await openModel(encodeOnnx(model), graph.input, availableParallelism())
  return async (input: Float32Array, batchSize: number): Promise<Float32Array> =>
    (await session.run(input, batchSize))[graph.outputs.embedding] as Float32Array
}

const model = buildOnnx(graph, { quantization })
const runs = [await open(model), await open(withComputedZeroPoints(model))]
const rows = []
for (const batch of [1, 8, 32]) {
  const input = randomTensor(entry.manifest.input, batch, seededRandom(batch))
  const [direct, product] = await Promise.all(runs.map((run) => run(input, batch)))
  const rates: number[][] = [[], []]
  for (let window = -1; window < Number(windows); window++) {
    for (const [i, run] of runs.entries()) {
      const start = performance.now()
      let images = 0
      for (; performance.now() - start < 1000 * Number(seconds); images += batch) await run(input, batch)
      // The first of each is warm-up.
      if (window >= 0) rates[i]?.push((1000 * images) / (performance.now() - start))
    }
  }
  const ratio = series((rates[1] ?? []).map((rate, i) => rate / (rates[0]?.[i] ?? Number.NaN)))
  rows.push({
    batch,
    'direct, images/s': Math.round(series(rates[0] ?? []).median),
    'product, images/s': Math.round(series(rates[1] ?? []).median),
    ratio: `${ratio.median.toFixed(2)} (${ratio.min.toFixed(2)} to ${ratio.max.toFixed(2)})`,
    'same numbers': direct?.every((value, i) => value === product?.[i]),
  })
}
console.table(rows)

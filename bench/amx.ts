/**
 * int8 convolutions as im2col and onnxruntime's matrix product, the one place where it uses AMX, against its direct convolution, in
 * turns in one process: `npx tsx bench/amx.ts [model-dir] [windows] [seconds per window]` (docs/quantization.md).
 */
import { availableParallelism } from 'node:os'
import { int, OnnxBuilder } from '../src/engines/onnx/builder.ts'
import { buildOnnx } from '../src/engines/onnx/emitter.ts'
import { DATA_TYPE, type OnnxModel } from '../src/engines/onnx/schema.ts'
import { compareGraphs, readModel } from './two-graphs.ts'

const [directory = 'models/digits/1', windows = '9', seconds = '1'] = process.argv.slice(2)
const model = readModel(directory)
const { graph, quantization } = model
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

const direct = buildOnnx(graph, { quantization })
await compareGraphs(
  model,
  { direct, product: withComputedZeroPoints(direct) },
  { threads: availableParallelism(), batches: [1, 8, 32], windows: Number(windows), window: Number(seconds) },
)

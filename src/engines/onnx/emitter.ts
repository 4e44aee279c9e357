import type { Quantization } from '../../repository/quantization.ts'
import type { AddNode, ConvNode, DenseNode, Graph, GraphNode, PoolNode, SubsampleNode } from '../../resnet/graph.ts'
import { emitNodes, type GraphEmitter } from '../graph-emitter.ts'
import { int, ints, MICROSOFT, OnnxBuilder } from './builder.ts'
import { quantizeConv } from './quantized-conv.ts'
import { encodeOnnx, type OnnxAttribute, type OnnxModel } from './schema.ts'
import { OnnxValues } from './values.ts'

/** The first opset in which ReduceMean, Slice and Pad have the forms written here, and which every kept runtime reads. */
const OPSET = 13

export interface EmitOptions {
  /** Present for int8: the scales of the values, and the nodes that stay in fp32 all the same. */
  quantization?: Quantization | undefined
  /** Values of the graph to answer with beside its two outputs, in float32 whatever they are computed in. */
  also?: readonly string[]
}

/** The bytes of `buildOnnx`'s model. */
export function emitOnnx(graph: Graph, options: EmitOptions = {}): Uint8Array {
  return encodeOnnx(buildOnnx(graph, options))
}

/**
 * The graph as an ONNX model with its weights inside: input and outputs named as in the graph, batch dimension free.
 * Throws a plain Error when the quantization is not this graph's.
 */
export function buildOnnx(graph: Graph, { quantization, also = [] }: EmitOptions = {}): OnnxModel {
  if (quantization) assertKnownNames(graph, quantization)
  const emitter = new OnnxEmitter(graph.input.name, quantization)
  emitNodes(graph, emitter)
  const shapes = new Map(graph.nodes.map((node) => [node.name, node.shape]))
  const outputs = [...Object.values(graph.outputs), ...also]
  for (const name of outputs) emitter.values.asFloat(name)
  return {
    nodes: emitter.onnx.nodes,
    initializers: emitter.onnx.initializers,
    inputs: [{ name: graph.input.name, shape: graph.input.shape }],
    outputs: outputs.map((name) => ({ name, shape: shapes.get(name) ?? [] })),
    opset: OPSET,
  }
}

function assertKnownNames({ input, nodes }: Graph, { activations, fp32 }: Quantization): void {
  const known = new Set([input.name, ...nodes.map(({ name }) => name)])
  for (const name of [...Object.keys(activations), ...fp32]) {
    if (!known.has(name)) throw new Error(`quantization: the graph has no value ${name}`)
  }
}

/**
 * Integer nodes are written as such (QLinearConv, QLinearAdd) and not as float nodes between conversions for the runtime
 * to recognise: what runs then does not hang on its pattern matching. A uint8 output ends at its zero point, where the
 * range of a ReLU begins, so there it needs no node of its own.
 */
class OnnxEmitter implements GraphEmitter {
  readonly onnx = new OnnxBuilder()
  readonly values: OnnxValues
  readonly #inInt8: (node: GraphNode) => boolean

  constructor(input: string, quantization: Quantization | undefined) {
    this.values = new OnnxValues(this.onnx, quantization?.activations ?? {})
    this.values.madeFloat(input)
    this.#inInt8 = ({ name }) => quantization !== undefined && !quantization.fp32.includes(name)
  }

  conv(node: ConvNode): void {
    const { name, input, kernel, stride, pad, outChannels, inChannels } = node
    const dims = [outChannels, inChannels, kernel, kernel]
    const attributes = [
      ints('kernel_shape', [kernel, kernel]),
      ints('strides', [stride, stride]),
      ints('pads', [pad, pad, pad, pad]),
    ]
    if (!this.#inInt8(node)) {
      const weight = this.onnx.floats(`${name}.weight`, node.weight, dims)
      const bias = this.onnx.floats(`${name}.bias`, node.bias, [outChannels])
      this.#emitWithRelu('Conv', [this.values.asFloat(input), weight, bias], node, attributes)
      return
    }
    const { weight, weightScale, bias } = quantizeConv(node, this.values.activation(input).scale)
    const inputs = [
      ...this.#uint8(input),
      this.onnx.int8s(`${name}.weight`, weight, dims),
      this.onnx.floats(`${name}.weight_scale`, weightScale, [outChannels]),
      this.onnx.int8s(`${name}.weight_zero_point`, Int8Array.of(0), []),
      ...this.values.scale(name),
      this.onnx.int32s(`${name}.bias`, bias, [outChannels]),
    ]
    this.onnx.emit('QLinearConv', inputs, this.values.uint8Name(name), attributes)
    this.values.madeUint8(name)
  }

  add(node: AddNode): void {
    const { name, inputs } = node
    const [a, b] = inputs
    if (!this.#inInt8(node)) {
      this.#emitWithRelu('Add', [this.values.asFloat(a), this.values.asFloat(b)], node)
      return
    }
    const operands = [...this.#uint8(a), ...this.#uint8(b), ...this.values.scale(name)]
    this.onnx.emit('QLinearAdd', operands, this.values.uint8Name(name), [], MICROSOFT)
    this.values.madeUint8(name)
  }

  /** Moves numbers and computes none, so it takes uint8 and float32 as they come. */
  subsample(node: SubsampleNode): void {
    const { name, input, stride, padBefore, padAfter } = node
    this.values.sameScale(name, input)
    const inUint8 = this.values.isUint8(input)
    let value = inUint8 ? this.values.uint8Name(input) : input
    if (stride > 1) {
      const end = 2 ** 31 - 1
      const bounds = [
        this.onnx.int64s(`${name}.starts`, [0, 0]),
        this.onnx.int64s(`${name}.ends`, [end, end]),
        this.onnx.int64s(`${name}.axes`, [2, 3]),
        this.onnx.int64s(`${name}.steps`, [stride, stride]),
      ]
      value = this.onnx.emit('Slice', [value, ...bounds], `${name}.sliced`)
    }
    const pads = this.onnx.int64s(`${name}.pads`, [0, padBefore, 0, 0, 0, padAfter, 0, 0])
    if (!inUint8) {
      this.onnx.emit('Pad', [value, pads], name)
      this.values.madeFloat(name)
      return
    }
    const [, zeroPoint] = this.values.scale(name)
    this.onnx.emit('Pad', [value, pads, zeroPoint], this.values.uint8Name(name))
    this.values.madeUint8(name)
  }

  /** `[N, C, H, W]` -> mean over W -> `[N, C, H]` x `[H, bands]` -> flattened `[N, C * bands]`. */
  pool(node: PoolNode): void {
    const { name, input, height, bands } = node
    const attributes = [ints('axes', [3]), int('keepdims', 0)]
    const rows = this.onnx.emit('ReduceMean', [this.values.asFloat(input)], `${name}.rows`, attributes)
    const matrix = this.onnx.floats(`${name}.matrix`, node.matrix, [height, bands])
    const pooled = this.onnx.emit('MatMul', [rows, matrix], `${name}.bands`)
    this.onnx.emit('Flatten', [pooled], name, [int('axis', 1)])
    this.values.madeFloat(name)
  }

  dense(node: DenseNode): void {
    const { name, input, outFeatures, inFeatures } = node
    const weight = this.onnx.floats(`${name}.weight`, node.weight, [outFeatures, inFeatures])
    const bias = this.onnx.floats(`${name}.bias`, node.bias, [outFeatures])
    this.onnx.emit('Gemm', [this.values.asFloat(input), weight, bias], name, [int('transB', 1)])
    this.values.madeFloat(name)
  }

  /** A value, its scale and its zero point: how integer operators take each input. */
  #uint8(name: string): string[] {
    return [this.values.asUint8(name), ...this.values.scale(name)]
  }

  /** ONNX has no fused ReLU; runtimes fuse the pair back together. */
  #emitWithRelu(opType: string, input: string[], node: ConvNode | AddNode, attributes: OnnxAttribute[] = []): void {
    const { name, relu } = node
    const sum = this.onnx.emit(opType, input, relu ? `${name}.linear` : name, attributes)
    if (relu) this.onnx.emit('Relu', [sum], name)
    this.values.madeFloat(name)
  }
}

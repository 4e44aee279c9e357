import type { Quantization } from '../../repository/quantization.ts'
import type {
  AddNode,
  AveragePoolNode,
  ConvNode,
  DenseNode,
  Graph,
  GraphNode,
  MaxPoolNode,
  NormNode,
  PoolNode,
  SubsampleNode,
} from '../../resnet/graph.ts'
import { emitNodes, type GraphEmitter } from '../graph-emitter.ts'
import { int, ints, MICROSOFT, OnnxBuilder, text } from './builder.ts'
import { type Convolution, convAttributes, perChannel, weightDims, windowAttributes } from './convolution.ts'
import { PhasedNodes } from './phased-nodes.ts'
import { quantizeConv } from './quantized-conv.ts'
import type { OnnxAttribute, OnnxModel } from './schema.ts'
import { OnnxValues } from './values.ts'

/** The first opset with all the operator forms used here: old runtimes read it too. */
const OPSET = 13

export interface EmitOptions {
  /** For int8: the scales of the values, and the nodes that stay in fp32. */
  quantization?: Quantization | undefined
  /** Large convolutions in fp32 by Winograd's algorithm: onnxruntime computes all of them directly. */
  winograd?: boolean | undefined
  /** Values to output beside the graph's own, in float32. */
  also?: readonly string[]
}

/**
 * The graph as an ONNX model for any batch size. Input and outputs are named as in the graph.
 * Throws a plain Error when the quantization names values that the graph does not have.
 */
export function buildOnnx(graph: Graph, { quantization, winograd, also = [] }: EmitOptions = {}): OnnxModel {
  if (quantization) assertKnownNames(graph, quantization)
  const shapes = new Map([graph.input, ...graph.nodes].map(({ name, shape }): [string, number[]] => [name, shape]))
  const emitter = new OnnxEmitter(graph.input.name, quantization)
  if (winograd && !quantization) emitter.phased = new PhasedNodes(emitter.onnx, emitter.values, shapes)
  emitNodes(graph, emitter)
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
 * Int8 nodes are written as integer operators (QLinearConv, QLinearAdd), not as float operators between conversions: what
 * runs does not depend on the runtime's pattern matching. They need no ReLU node: the range of a value after a ReLU begins
 * at 0, so its zero point is 0 and the saturation to uint8 cuts off what is negative.
 */
class OnnxEmitter implements GraphEmitter {
  readonly onnx = new OnnxBuilder()
  readonly values: OnnxValues
  readonly #inInt8: (node: GraphNode) => boolean

  /** If present, it writes what it can. */
  phased?: PhasedNodes

  constructor(input: string, quantization: Quantization | undefined) {
    this.values = new OnnxValues(this.onnx, input, quantization?.activations ?? {})
    this.#inInt8 = ({ name }) => quantization !== undefined && !quantization.fp32.includes(name)
  }

  conv(node: ConvNode): void {
    if (!this.phased?.conv(node)) this.#convolve(node, node)
  }

  /** A 1x1 convolution of each channel by itself: faster than Mul and Add, and in int8 an integer operator too. */
  norm(node: NormNode): void {
    if (this.phased?.norm(node)) return
    const { scale: weight, shift: bias } = node
    this.#convolve(node, perChannel({ weight, bias, kernel: 1, stride: 1 }))
  }

  add(node: AddNode): void {
    if (this.phased?.add(node)) return
    const { name, inputs } = node
    const [a, b] = inputs
    if (!this.#inInt8(node)) {
      this.#emitWithRelu('Add', [this.values.asFloat(a), this.values.asFloat(b)], node)
      return
    }
    const operands = [...this.#uint8(a), ...this.#uint8(b), ...this.values.scale(name)]
    this.values.emitUint8('QLinearAdd', operands, name, [], MICROSOFT)
  }

  /** Chooses values without computing, so it works on uint8 and float32 alike. */
  maxpool(node: MaxPoolNode): void {
    const { name, input } = node
    this.values.sameScale(name, input)
    const attributes = windowAttributes(node)
    if (this.values.isUint8(input)) this.values.emitUint8('MaxPool', [this.values.uint8Name(input)], name, attributes)
    else this.values.emitFloat('MaxPool', [this.values.asFloat(input)], name, attributes)
  }

  /**
   * On uint8 it is a convolution of each channel by itself with weights of a quarter: an integer operator, and faster than one
   * in float between conversions. A window that reaches over the edge sees the last row or column twice, which has the same mean.
   */
  averagepool(node: AveragePoolNode): void {
    const { name, input, height, width } = node
    this.values.sameScale(name, input)
    if (!this.values.isUint8(input)) {
      const attributes = [ints('kernel_shape', [2, 2]), ints('strides', [2, 2]), int('ceil_mode', 1)]
      this.values.emitFloat('AveragePool', [this.values.asFloat(input)], name, attributes)
      return
    }
    let even = this.values.uint8Name(input)
    if (height % 2 === 1 || width % 2 === 1) {
      const pads = this.onnx.int64s(`${name}.pads`, [0, 0, 0, 0, 0, 0, height % 2, width % 2])
      even = this.onnx.emit('Pad', [even, pads], `${name}.even`, [text('mode', 'edge')])
    }
    const channels = node.shape[0] as number
    const weight = new Float32Array(4 * channels).fill(0.25)
    const quarters = perChannel({ weight, bias: new Float32Array(channels), kernel: 2, stride: 2 })
    this.#convolveUint8(name, [even, ...this.values.scale(input)], this.values.activation(input).scale, quarters)
  }

  /** Moves values without computing, so it works on uint8 and float32 alike. */
  subsample(node: SubsampleNode): void {
    const { name, input, stride, padBefore, padAfter } = node
    this.values.sameScale(name, input)
    const inUint8 = this.values.isUint8(input)
    let value = inUint8 ? this.values.uint8Name(input) : this.values.asFloat(input)
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
    if (inUint8) this.values.emitUint8('Pad', [value, pads, this.values.scale(name)[1]], name)
    else this.values.emitFloat('Pad', [value, pads], name)
  }

  /** `[N, C, H, W]` -> mean over W -> `[N, C, H]` x `[H, bands]` -> flattened `[N, C * bands]`. */
  pool(node: PoolNode): void {
    const { name, input, height, bands } = node
    const attributes = [ints('axes', [3]), int('keepdims', 0)]
    const rows = this.onnx.emit('ReduceMean', [this.values.asFloat(input)], `${name}.rows`, attributes)
    const matrix = this.onnx.constant(`${name}.matrix`, 'float', node.matrix, [height, bands])
    const pooled = this.onnx.emit('MatMul', [rows, matrix], `${name}.bands`)
    this.values.emitFloat('Flatten', [pooled], name, [int('axis', 1)])
  }

  dense(node: DenseNode): void {
    const { name, input, outFeatures, inFeatures } = node
    const weight = this.onnx.constant(`${name}.weight`, 'float', node.weight, [outFeatures, inFeatures])
    const bias = this.onnx.constant(`${name}.bias`, 'float', node.bias, [outFeatures])
    this.#emitWithRelu('Gemm', [this.values.asFloat(input), weight, bias], node, [int('transB', 1)])
  }

  /** In int8 if the node is. */
  #convolve(node: ConvNode | NormNode, spec: Convolution): void {
    const { name, input } = node
    if (this.#inInt8(node)) {
      this.#convolveUint8(name, this.#uint8(input), this.values.activation(input).scale, spec)
      return
    }
    const weight = this.onnx.constant(`${name}.weight`, 'float', spec.weight, weightDims(spec))
    const bias = this.onnx.constant(`${name}.bias`, 'float', spec.bias, [spec.outChannels])
    this.#emitWithRelu('Conv', [this.values.asFloat(input), weight, bias], node, convAttributes(spec))
  }

  /** `input` is as `#uint8` gives it, and has this scale. */
  #convolveUint8(name: string, input: string[], inputScale: number, spec: Convolution): void {
    const { weight, weightScale, bias } = quantizeConv(spec, inputScale)
    const inputs = [
      ...input,
      this.onnx.constant(`${name}.weight`, 'int8', weight, weightDims(spec)),
      this.onnx.constant(`${name}.weight_scale`, 'float', weightScale, [spec.outChannels]),
      this.onnx.constant(`${name}.weight_zero_point`, 'int8', Int8Array.of(0)),
      ...this.values.scale(name),
      this.onnx.constant(`${name}.bias`, 'int32', bias, [spec.outChannels]),
    ]
    this.values.emitUint8('QLinearConv', inputs, name, convAttributes(spec))
  }

  /** A value, its scale and its zero point: one input of an integer operator. */
  #uint8(name: string): string[] {
    return [this.values.asUint8(name), ...this.values.scale(name)]
  }

  /** ONNX has no fused ReLU; runtimes fuse the two nodes. */
  #emitWithRelu(opType: string, input: string[], node: WithRelu, attributes: OnnxAttribute[] = []): void {
    const { name, relu } = node
    if (relu) this.values.emitFloat('Relu', [this.onnx.emit(opType, input, `${name}.linear`, attributes)], name)
    else this.values.emitFloat(opType, input, name, attributes)
  }
}

type WithRelu = ConvNode | NormNode | AddNode | DenseNode

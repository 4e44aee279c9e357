import type { AddNode, ConvNode, DenseNode, Graph, PoolNode, SubsampleNode } from '../graph.ts'
import {
  ATTRIBUTE_TYPE,
  DATA_TYPE,
  encodeOnnx,
  type OnnxAttribute,
  type OnnxNode,
  type OnnxTensor,
} from './onnx-schema.ts'

/** The first opset in which ReduceMean, Slice and Pad have the forms written here, and which every kept runtime reads. */
const OPSET = 13

/** The graph as an ONNX model with its weights inside: input and outputs named as in the graph, batch dimension free. */
export function emitOnnx(graph: Graph): Uint8Array {
  const emitter = new OnnxEmitter()
  for (const node of graph.nodes) {
    switch (node.op) {
      case 'conv':
        emitter.conv(node)
        break
      case 'add':
        emitter.add(node)
        break
      case 'subsample':
        emitter.subsample(node)
        break
      case 'pool':
        emitter.pool(node)
        break
      case 'dense':
        emitter.dense(node)
        break
    }
  }
  const shapes = new Map(graph.nodes.map((node) => [node.name, node.shape]))
  return encodeOnnx({
    nodes: emitter.nodes,
    initializers: emitter.initializers,
    inputs: [{ name: graph.input.name, shape: graph.input.shape }],
    outputs: Object.values(graph.outputs).map((name) => ({ name, shape: shapes.get(name) ?? [] })),
    opset: OPSET,
  })
}

class OnnxEmitter {
  readonly nodes: OnnxNode[] = []
  readonly initializers: OnnxTensor[] = []

  conv(node: ConvNode): void {
    const { name, kernel, stride, pad, outChannels, inChannels } = node
    const weight = this.#floats(`${name}.weight`, node.weight, [outChannels, inChannels, kernel, kernel])
    const bias = this.#floats(`${name}.bias`, node.bias, [outChannels])
    this.#emitWithRelu('Conv', [node.input, weight, bias], node, [
      ints('kernel_shape', [kernel, kernel]),
      ints('strides', [stride, stride]),
      ints('pads', [pad, pad, pad, pad]),
    ])
  }

  add(node: AddNode): void {
    this.#emitWithRelu('Add', node.inputs, node)
  }

  subsample(node: SubsampleNode): void {
    const { name, stride, padBefore, padAfter } = node
    let value = node.input
    if (stride > 1) {
      const end = 2 ** 31 - 1
      const bounds = [
        this.#ints(`${name}.starts`, [0, 0]),
        this.#ints(`${name}.ends`, [end, end]),
        this.#ints(`${name}.axes`, [2, 3]),
        this.#ints(`${name}.steps`, [stride, stride]),
      ]
      value = this.#emit('Slice', [value, ...bounds], `${name}.sliced`)
    }
    this.#emit('Pad', [value, this.#ints(`${name}.pads`, [0, padBefore, 0, 0, 0, padAfter, 0, 0])], name)
  }

  /** `[N, C, H, W]` -> mean over W -> `[N, C, H]` x `[H, bands]` -> flattened `[N, C * bands]`. */
  pool(node: PoolNode): void {
    const { name, height, bands } = node
    const rows = this.#emit('ReduceMean', [node.input], `${name}.rows`, [ints('axes', [3]), int('keepdims', 0)])
    const matrix = this.#floats(`${name}.matrix`, node.matrix, [height, bands])
    const pooled = this.#emit('MatMul', [rows, matrix], `${name}.bands`)
    this.#emit('Flatten', [pooled], name, [int('axis', 1)])
  }

  dense(node: DenseNode): void {
    const weight = this.#floats(`${node.name}.weight`, node.weight, [node.outFeatures, node.inFeatures])
    const bias = this.#floats(`${node.name}.bias`, node.bias, [node.outFeatures])
    this.#emit('Gemm', [node.input, weight, bias], node.name, [int('transB', 1)])
  }

  /** ONNX has no fused ReLU; runtimes fuse the pair back together. The last value carries the graph node's name. */
  #emitWithRelu(opType: string, input: string[], node: ConvNode | AddNode, attribute: OnnxAttribute[] = []): void {
    if (!node.relu) {
      this.#emit(opType, input, node.name, attribute)
      return
    }
    this.#emit('Relu', [this.#emit(opType, input, `${node.name}.linear`, attribute)], node.name)
  }

  #emit(opType: string, input: string[], output: string, attribute: OnnxAttribute[] = []): string {
    this.nodes.push({ name: output, opType, input, output: [output], attribute })
    return output
  }

  #floats(name: string, data: Float32Array, dims: number[]): string {
    const rawData = new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
    this.initializers.push({ name, dims, dataType: DATA_TYPE.float, rawData })
    return name
  }

  #ints(name: string, values: number[]): string {
    const rawData = new Uint8Array(BigInt64Array.from(values, BigInt).buffer)
    this.initializers.push({ name, dims: [values.length], dataType: DATA_TYPE.int64, rawData })
    return name
  }
}

function int(name: string, i: number): OnnxAttribute {
  return { name, type: ATTRIBUTE_TYPE.int, i }
}

function ints(name: string, values: number[]): OnnxAttribute {
  return { name, type: ATTRIBUTE_TYPE.ints, ints: values }
}

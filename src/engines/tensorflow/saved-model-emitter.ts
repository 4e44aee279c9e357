import type {
  AddNode,
  AveragePoolNode,
  ConvNode,
  DenseNode,
  Graph,
  MaxPoolNode,
  NormNode,
  PoolNode,
  SubsampleNode,
} from '../../resnet/graph.ts'
import { emitNodes, type GraphEmitter } from '../graph-emitter.ts'
import { GraphDefBuilder } from './graph-def-builder.ts'
import { type AttrValue, type DataType, DT, encodeSavedModel, tensorShape } from './saved-model-schema.ts'

/** Names of input and outputs in the signature `serving_default`. A model without a classifier has no `logits`. */
export const SIGNATURE = { input: 'input', logits: 'logits', embedding: 'embedding' } as const

const TYPES = { fp32: DT.float, fp16: DT.half, bf16: DT.bfloat16 } as const

export type EmittedPrecision = keyof typeof TYPES

/**
 * The graph as the bytes of a SavedModel with its weights inside, channels last, for any batch size.
 *
 * The input is one STRING scalar: the float32 values `[N, C, H, W]` as little-endian bytes, which the graph decodes. tfjs
 * would copy a float tensor to the GPU and back before the session starts.
 *
 * With `fp16` and `bf16`, convolutions with their weights, additions, norms and pools of pictures are in that type (cuDNN and
 * oneDNN accumulate in fp32). What follows is in fp32, from the pool of the last stage on.
 */
export function emitSavedModel(graph: Graph, precision: EmittedPrecision): Uint8Array {
  const emitter = new SavedModelEmitter(graph, TYPES[precision])
  emitNodes(graph, emitter)
  const sizes = new Map(graph.nodes.map((node) => [node.name, node.shape]))
  const output = (name: string, value: string) => {
    const node = emitter.output(name, value)
    return { node, dtype: DT.float, shape: [-1, ...(sizes.get(value) ?? [])] }
  }
  const { logits, embedding } = graph.outputs
  const outputs = {
    ...(logits === undefined ? {} : { [SIGNATURE.logits]: output(SIGNATURE.logits, logits) }),
    [SIGNATURE.embedding]: output(SIGNATURE.embedding, embedding),
  }
  const inputs = { [SIGNATURE.input]: { node: FEED, dtype: DT.string, shape: [] } }
  return encodeSavedModel(emitter.graph.nodes, inputs, outputs)
}

const FEED = 'input_bytes'

type Attributes = Record<string, AttrValue>

class SavedModelEmitter implements GraphEmitter {
  readonly graph = new GraphDefBuilder()
  readonly #type: DataType

  constructor({ input }: Graph, type: DataType) {
    this.#type = type
    const [channels, height, width] = input.shape
    this.graph.node(FEED, 'Placeholder', [], { dtype: { type: DT.string }, shape: { shape: tensorShape([]) } })
    this.graph.node(`${input.name}/floats`, 'DecodeRaw', [FEED], {
      out_type: { type: DT.float },
      little_endian: { b: true },
    })
    const planes = this.graph.reshape(`${input.name}/planes`, `${input.name}/floats`, [-1, channels, height, width])
    const floats = this.graph.transpose(`${input.name}/last`, planes, [0, 2, 3, 1])
    this.graph.cast(input.name, floats, DT.float, type)
  }

  conv(node: ConvNode): void {
    const { name, kernel, stride, pad } = node
    const shape = [kernel, kernel, node.inChannels, node.outChannels]
    const weight = this.graph.floats(`${name}/weight`, hwio(node), shape, this.#type)
    const value = this.graph.node(`${name}/conv`, 'Conv2D', [node.input, weight], {
      T: { type: this.#type },
      strides: { list: { i: [1, stride, stride, 1] } },
      data_format: { s: Buffer.from('NHWC') },
      ...padding(kernel, stride, pad),
    })
    this.#relu(this.#bias(node.relu ? `${name}/biased` : name, value, node.bias, this.#type), node)
  }

  /** One pass over the memory, where Mul and BiasAdd are two. Variance and epsilon make exactly 1. */
  norm(node: NormNode): void {
    const { name, scale, shift } = node
    const epsilon = 2 ** -10
    const statistics = { scale, shift, mean: shift.map(() => 0), variance: shift.map(() => 1 - epsilon) }
    const vectors = Object.entries(statistics).map(([part, values]) =>
      this.graph.floats(`${name}/${part}`, values, [values.length]),
    )
    const value = this.graph.node(node.relu ? `${name}/normed` : name, 'FusedBatchNormV3', [node.input, ...vectors], {
      T: { type: this.#type },
      U: { type: DT.float },
      epsilon: { f: epsilon },
      data_format: { s: Buffer.from('NHWC') },
      is_training: { b: false },
    })
    this.#relu(value, node)
  }

  maxpool({ name, input, kernel, stride, pad }: MaxPoolNode): void {
    this.#pool(name, 'MaxPool', input, kernel, stride, padding(kernel, stride, pad))
  }

  /** SAME adds at the end of an odd height or width, and does not average what it adds. */
  averagepool({ name, input }: AveragePoolNode): void {
    this.#pool(name, 'AvgPool', input, 2, 2, { padding: { s: Buffer.from('SAME') } })
  }

  add(node: AddNode): void {
    const value = this.graph.node(node.relu ? `${node.name}/sum` : node.name, 'AddV2', node.inputs, {
      T: { type: this.#type },
    })
    this.#relu(value, node)
  }

  subsample(node: SubsampleNode): void {
    const { name, stride, padBefore, padAfter } = node
    const T = { type: this.#type }
    const bounds = [
      this.graph.ints(`${name}/begin`, [0, 0, 0, 0]),
      this.graph.ints(`${name}/end`, [0, 0, 0, 0]),
      this.graph.ints(`${name}/strides`, [1, stride, stride, 1]),
    ]
    // One bit per axis: ignore `begin` and `end`, take the whole axis.
    const whole = { i: 0b1111 }
    const sliced = this.graph.node(`${name}/sliced`, 'StridedSlice', [node.input, ...bounds], {
      T,
      Index: { type: DT.int32 },
      begin_mask: whole,
      end_mask: whole,
    })
    const paddings = this.graph.ints(`${name}/paddings`, [0, 0, 0, 0, 0, 0, padBefore, padAfter], [4, 2])
    this.graph.node(name, 'Pad', [sliced, paddings], { T, Tpaddings: { type: DT.int32 } })
  }

  /** `[N, H, W, C]` -> mean over W -> `[N, C, H]` x `[H, bands]` -> `[N, C * bands]`, channel-major, in fp32. */
  pool(node: PoolNode): void {
    const { name, height, bands } = node
    const floats = this.graph.cast(`${name}/floats`, node.input, this.#type, DT.float)
    const rows = this.graph.node(`${name}/rows`, 'Mean', [floats, this.graph.ints(`${name}/axis`, [2])], {
      T: { type: DT.float },
      Tidx: { type: DT.int32 },
      keep_dims: { b: false },
    })
    const columns = this.graph.transpose(`${name}/columns`, rows, [0, 2, 1])
    const flat = this.graph.reshape(`${name}/flat`, columns, [-1, height])
    const matrix = this.graph.floats(`${name}/matrix`, node.matrix, [height, bands])
    const pooled = this.graph.matmul(`${name}/bands`, flat, matrix, false)
    this.graph.reshape(name, pooled, [-1, ...node.shape])
  }

  dense(node: DenseNode): void {
    const weight = this.graph.floats(`${node.name}/weight`, node.weight, [node.outFeatures, node.inFeatures])
    const product = this.graph.matmul(`${node.name}/product`, node.input, weight, true)
    this.#relu(this.#bias(node.relu ? `${node.name}/biased` : node.name, product, node.bias, DT.float), node, DT.float)
  }

  output(name: string, value: string): string {
    return this.graph.node(name, 'Identity', [value], { T: { type: DT.float } })
  }

  /** The last value of a node has the node's name. */
  #relu(value: string, { name, relu }: ConvNode | NormNode | AddNode | DenseNode, type = this.#type): void {
    if (relu) this.graph.node(name, 'Relu', [value], { T: { type } })
  }

  #pool(name: string, op: string, input: string, kernel: number, stride: number, pads: Attributes): void {
    this.graph.node(name, op, [input], {
      T: { type: this.#type },
      ksize: { list: { i: [1, kernel, kernel, 1] } },
      strides: { list: { i: [1, stride, stride, 1] } },
      data_format: { s: Buffer.from('NHWC') },
      ...pads,
    })
  }

  #bias(name: string, value: string, bias: Float32Array, type: DataType): string {
    const constant = this.graph.floats(`${name}/bias`, bias, [bias.length], type)
    return this.graph.node(name, 'BiasAdd', [value, constant], { T: { type }, data_format: { s: Buffer.from('NHWC') } })
  }
}

/**
 * VALID where there is no padding, and SAME under stride 1: runtimes fuse these. Under stride 2, SAME pads less before
 * than after, unlike PyTorch, so the padding is explicit.
 */
function padding(kernel: number, stride: number, pad: number): Attributes {
  if (pad === 0) return { padding: { s: Buffer.from('VALID') } }
  if (stride === 1 && pad === (kernel - 1) / 2) return { padding: { s: Buffer.from('SAME') } }
  return {
    padding: { s: Buffer.from('EXPLICIT') },
    explicit_paddings: { list: { i: [0, 0, pad, pad, pad, pad, 0, 0] } },
  }
}

/** The weights as `[kernel, kernel, in, out]`. */
function hwio({ weight, outChannels, inChannels, kernel }: ConvNode): Float32Array {
  const area = kernel * kernel
  const transposed = new Float32Array(weight.length)
  let from = 0
  for (let o = 0; o < outChannels; o++) {
    for (let i = 0; i < inChannels; i++) {
      for (let k = 0; k < area; k++) transposed[(k * inChannels + i) * outChannels + o] = weight[from++] as number
    }
  }
  return transposed
}

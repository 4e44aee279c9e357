import { float32ToFloat16 } from '../../repository/float16.ts'
import type { AddNode, ConvNode, DenseNode, Graph, PoolNode, SubsampleNode } from '../../resnet/graph.ts'
import { emitNodes, type GraphEmitter } from '../graph-emitter.ts'
import { type AttrValue, type DataType, DT, encodeSavedModel, type NodeDef, tensorShape } from './saved-model-schema.ts'

/** Names in the signature `serving_default`. */
export const SIGNATURE = { input: 'input', logits: 'logits', embedding: 'embedding' } as const

/**
 * The graph as the bytes of a SavedModel with its weights inside, channels last, batch dimension free.
 *
 * The input is one STRING scalar holding the batch's float32 values `[N, C, H, W]` as little-endian bytes, decoded
 * inside the graph: a float tensor would travel to the GPU and back before the session even starts.
 *
 * With `fp16` the convolutions hold weights and activations in half precision (cuDNN accumulates them in fp32); pool,
 * embedding and logits are computed and returned in fp32.
 */
export function emitSavedModel(graph: Graph, precision: 'fp32' | 'fp16'): Uint8Array {
  const emitter = new SavedModelEmitter(graph, precision === 'fp16' ? DT.half : DT.float)
  emitNodes(graph, emitter)
  emitter.output(SIGNATURE.logits, graph.outputs.logits)
  emitter.output(SIGNATURE.embedding, graph.outputs.embedding)
  const sizes = new Map(graph.nodes.map((node) => [node.name, node.shape]))
  const output = (name: string, value: string) => ({
    [name]: { node: name, dtype: DT.float, shape: [-1, ...(sizes.get(value) ?? [])] },
  })
  return encodeSavedModel({
    nodes: emitter.nodes,
    inputs: { [SIGNATURE.input]: { node: FEED, dtype: DT.string, shape: [] } },
    outputs: {
      ...output(SIGNATURE.logits, graph.outputs.logits),
      ...output(SIGNATURE.embedding, graph.outputs.embedding),
    },
  })
}

const FEED = 'input_bytes'

class SavedModelEmitter implements GraphEmitter {
  readonly nodes: NodeDef[] = []
  readonly #type: DataType

  constructor({ input }: Graph, type: DataType) {
    this.#type = type
    const [channels, height, width] = input.shape
    this.#node(FEED, 'Placeholder', [], { dtype: { type: DT.string }, shape: { shape: tensorShape([]) } })
    this.#node(`${input.name}/floats`, 'DecodeRaw', [FEED], {
      out_type: { type: DT.float },
      little_endian: { b: true },
    })
    const planes = this.#reshape(
      `${input.name}/planes`,
      `${input.name}/floats`,
      [-1, channels, height, width],
      DT.float,
    )
    const floats = this.#transpose(`${input.name}/last`, planes, [0, 2, 3, 1], DT.float)
    this.#cast(input.name, floats, DT.float, type)
  }

  conv(node: ConvNode): void {
    const { name, kernel, stride, pad } = node
    const shape = [kernel, kernel, node.inChannels, node.outChannels]
    const value = this.#node(
      `${name}/conv`,
      'Conv2D',
      [node.input, this.#weights(`${name}/weight`, hwio(node), shape)],
      {
        T: { type: this.#type },
        strides: { list: { i: [1, stride, stride, 1] } },
        data_format: { s: Buffer.from('NHWC') },
        ...padding(kernel, stride, pad),
      },
    )
    this.#relu(this.#bias(node.relu ? `${name}/biased` : name, value, node.bias, this.#type), node)
  }

  add(node: AddNode): void {
    const value = this.#node(node.relu ? `${node.name}/sum` : node.name, 'AddV2', node.inputs, {
      T: { type: this.#type },
    })
    this.#relu(value, node)
  }

  subsample(node: SubsampleNode): void {
    const { name, stride, padBefore, padAfter } = node
    const T = { type: this.#type }
    const bounds = [
      this.#ints(`${name}/begin`, [0, 0, 0, 0]),
      this.#ints(`${name}/end`, [0, 0, 0, 0]),
      this.#ints(`${name}/strides`, [1, stride, stride, 1]),
    ]
    // Masks of all four axes: from the first to the last, whatever begin and end say.
    const whole = { i: 0b1111 }
    const sliced = this.#node(`${name}/sliced`, 'StridedSlice', [node.input, ...bounds], {
      T,
      Index: { type: DT.int32 },
      begin_mask: whole,
      end_mask: whole,
    })
    const paddings = this.#ints(`${name}/paddings`, [0, 0, 0, 0, 0, 0, padBefore, padAfter], [4, 2])
    this.#node(name, 'Pad', [sliced, paddings], { T, Tpaddings: { type: DT.int32 } })
  }

  /** `[N, H, W, C]` -> mean over W -> `[N, C, H]` x `[H, bands]` -> `[N, C * bands]`, channel-major; from here on fp32. */
  pool(node: PoolNode): void {
    const { name, channels, height, bands } = node
    const floats = this.#cast(`${name}/floats`, node.input, this.#type, DT.float)
    const rows = this.#node(`${name}/rows`, 'Mean', [floats, this.#ints(`${name}/axis`, [2])], {
      T: { type: DT.float },
      Tidx: { type: DT.int32 },
      keep_dims: { b: false },
    })
    const columns = this.#transpose(`${name}/columns`, rows, [0, 2, 1], DT.float)
    const flat = this.#reshape(`${name}/flat`, columns, [-1, height], DT.float)
    const matrix = this.#floats(`${name}/matrix`, node.matrix, [height, bands])
    const pooled = this.#matmul(`${name}/bands`, flat, matrix, false)
    this.#reshape(name, pooled, [-1, channels * bands], DT.float)
  }

  dense(node: DenseNode): void {
    const weight = this.#floats(`${node.name}/weight`, node.weight, [node.outFeatures, node.inFeatures])
    this.#bias(node.name, this.#matmul(`${node.name}/product`, node.input, weight, true), node.bias, DT.float)
  }

  output(name: string, value: string): void {
    this.#node(name, 'Identity', [value], { T: { type: DT.float } })
  }

  /** The last value of a node carries its name. */
  #relu(value: string, { name, relu }: ConvNode | AddNode): void {
    if (relu) this.#node(name, 'Relu', [value], { T: { type: this.#type } })
  }

  #bias(name: string, value: string, bias: Float32Array, type: DataType): string {
    const constant =
      type === DT.half
        ? this.#weights(`${name}/bias`, bias, [bias.length])
        : this.#floats(`${name}/bias`, bias, [bias.length])
    return this.#node(name, 'BiasAdd', [value, constant], { T: { type }, data_format: { s: Buffer.from('NHWC') } })
  }

  #matmul(name: string, a: string, b: string, transposeB: boolean): string {
    return this.#node(name, 'MatMul', [a, b], {
      T: { type: DT.float },
      transpose_a: { b: false },
      transpose_b: { b: transposeB },
    })
  }

  #transpose(name: string, value: string, order: number[], type: DataType): string {
    const permutation = this.#ints(`${name}/order`, order)
    return this.#node(name, 'Transpose', [value, permutation], { T: { type }, Tperm: { type: DT.int32 } })
  }

  #reshape(name: string, value: string, shape: number[], type: DataType): string {
    const dims = this.#ints(`${name}/shape`, shape)
    return this.#node(name, 'Reshape', [value, dims], { T: { type }, Tshape: { type: DT.int32 } })
  }

  #cast(name: string, value: string, from: DataType, to: DataType): string {
    if (from === to) return this.#node(name, 'Identity', [value], { T: { type: to } })
    return this.#node(name, 'Cast', [value], { SrcT: { type: from }, DstT: { type: to } })
  }

  /** In the precision of the convolutions. */
  #weights(name: string, values: Float32Array, shape: number[]): string {
    return this.#type === DT.half
      ? this.#constant(name, float32ToFloat16(values), shape, DT.half)
      : this.#floats(name, values, shape)
  }

  #floats(name: string, values: Float32Array, shape: number[]): string {
    return this.#constant(name, values, shape, DT.float)
  }

  #ints(name: string, values: number[], shape = [values.length]): string {
    return this.#constant(name, Int32Array.from(values), shape, DT.int32)
  }

  #constant(name: string, values: ArrayBufferView, shape: number[], dtype: DataType): string {
    const tensorContent = new Uint8Array(values.buffer, values.byteOffset, values.byteLength)
    return this.#node(name, 'Const', [], {
      dtype: { type: dtype },
      value: { tensor: { dtype, tensorShape: tensorShape(shape), tensorContent } },
    })
  }

  #node(name: string, op: string, input: string[], attr: Record<string, AttrValue>): string {
    this.nodes.push({ name, op, input, attr })
    return name
  }
}

/**
 * SAME pads evenly under stride 1 and VALID not at all, and these are the forms that runtimes fuse; under stride 2 SAME
 * pads less before than after, which is not PyTorch's rule, so the padding is spelled out.
 */
function padding(kernel: number, stride: number, pad: number): Record<string, AttrValue> {
  if (pad === 0) return { padding: { s: Buffer.from('VALID') } }
  if (stride === 1 && pad === (kernel - 1) / 2) return { padding: { s: Buffer.from('SAME') } }
  return {
    padding: { s: Buffer.from('EXPLICIT') },
    explicit_paddings: { list: { i: [0, 0, pad, pad, pad, pad, 0, 0] } },
  }
}

/** PyTorch's `[out, in, kernel, kernel]` as TensorFlow's `[kernel, kernel, in, out]`. */
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

import '@tensorflow/tfjs-backend-wasm'
import * as tf from '@tensorflow/tfjs-core'
import type { Outputs } from '../../../src/engines/engine.ts'
import { DT, SavedModel } from '../../../src/engines/tensorflow/saved-model-schema.ts'
import { float16ToFloat32 } from '../../../src/repository/float16.ts'

interface Attribute {
  type?: number
  b?: boolean
  i?: number
  f?: number
  s?: Uint8Array
  list?: { i: number[] }
  tensor?: { dtype: number; tensorShape: { dim?: { size: number }[] }; tensorContent: Uint8Array }
}

interface Node {
  name: string
  op: string
  input?: string[]
  attr: Record<string, Attribute>
}

interface TensorInfo {
  name: string
  dtype: number
  tensorShape: { dim?: { size: number }[] }
}

export interface DecodedSavedModel {
  tags: string[]
  nodes: Node[]
  inputs: Record<string, TensorInfo>
  outputs: Record<string, TensorInfo>
}

export function decodeSavedModel(bytes: Uint8Array): DecodedSavedModel {
  const { metaGraphs } = SavedModel.toObject(SavedModel.decode(bytes), { longs: Number })
  const [{ metaInfoDef, graphDef, signatureDef }] = metaGraphs
  return { tags: metaInfoDef.tags, nodes: graphDef.node, ...signatureDef.serving_default }
}

/**
 * Runs a SavedModel as TensorFlow's documentation defines its ops, without TensorFlow: what the file says is thereby
 * tested where no TensorFlow is installed. Half precision is computed in fp32 after its constants were rounded.
 */
export async function runSavedModel(model: DecodedSavedModel, input: Float32Array): Promise<Outputs> {
  await tf.setBackend('wasm')
  const values = new Map<string, tf.Tensor>()
  const answers = tf.tidy(() => {
    for (const node of model.nodes) {
      const inputs = (node.input ?? []).map((name) => required(values.get(name), name))
      values.set(node.name, evaluate(node, inputs, input))
    }
    const output = (name: string): tf.Tensor => {
      const node = model.outputs[name]?.name.replace(/:0$/, '') ?? ''
      return tf.keep(required(values.get(node), node).clone())
    }
    const logits = model.outputs.logits === undefined ? tf.keep(tf.tensor1d([])) : output('logits')
    return { logits, embedding: output('embedding') }
  })
  const outputs = { logits: await answers.logits.data(), embedding: await answers.embedding.data() }
  tf.dispose([answers.logits, answers.embedding])
  return outputs as Outputs
}

function evaluate({ op, attr }: Node, [a, b, c, d, e]: tf.Tensor[], fed: Float32Array): tf.Tensor {
  const x = a as tf.Tensor
  const y = b as tf.Tensor
  switch (op) {
    case 'Placeholder':
      return tf.tensor1d([0])
    case 'DecodeRaw':
      return tf.tensor1d(fed)
    case 'Const':
      return constant(attr.value as Attribute)
    case 'Identity':
    case 'Cast':
      return x.clone()
    case 'Reshape':
      return tf.reshape(x, [...y.dataSync()])
    case 'Transpose':
      return tf.transpose(x, [...y.dataSync()])
    case 'Conv2D':
      return convolution(attr, x as tf.Tensor4D, y as tf.Tensor4D)
    case 'BiasAdd':
    case 'AddV2':
      return tf.add(x, y)
    case 'FusedBatchNormV3': {
      if (attr.is_training?.b !== false) throw new Error('a norm that trains')
      const [offset, mean, variance] = [c, d, e] as [tf.Tensor1D, tf.Tensor1D, tf.Tensor1D]
      return tf.batchNorm(x as tf.Tensor4D, mean, variance, offset, y as tf.Tensor1D, attr.epsilon?.f)
    }
    case 'MaxPool':
      return maxPool(attr, x as tf.Tensor4D)
    case 'AvgPool':
      return tf.avgPool(x as tf.Tensor4D, 2, 2, 'same')
    case 'Relu':
      return tf.relu(x)
    case 'Mean':
      return tf.mean(x, [...y.dataSync()], attr.keep_dims?.b ?? false)
    case 'MatMul':
      return tf.matMul(x, y, attr.transpose_a?.b, attr.transpose_b?.b)
    case 'StridedSlice': {
      const bounds = [y, c as tf.Tensor, d as tf.Tensor].map((tensor) => [...tensor.dataSync()])
      const [begin, end, strides] = bounds as [number[], number[], number[]]
      return tf.stridedSlice(x, begin, end, strides, attr.begin_mask?.i, attr.end_mask?.i)
    }
    case 'Pad': {
      const flat = [...y.dataSync()]
      return tf.pad(
        x,
        x.shape.map((_, axis) => [flat[2 * axis], flat[2 * axis + 1]] as [number, number]),
      )
    }
    default:
      throw new Error(`no op ${op}`)
  }
}

function convolution(attr: Node['attr'], x: tf.Tensor4D, filter: tf.Tensor4D): tf.Tensor {
  const strides = attr.strides?.list?.i as [number, number, number, number]
  const padding = text(attr.padding)
  if (text(attr.data_format) !== 'NHWC') throw new Error('not channels last')
  if (padding !== 'EXPLICIT') return tf.conv2d(x, filter, [strides[1], strides[2]], padding.toLowerCase() as 'same')
  const [, , top = 0, bottom = 0, left = 0, right = 0] = attr.explicit_paddings?.list?.i ?? []
  const padded = tf.pad(x, [
    [0, 0],
    [top, bottom],
    [left, right],
    [0, 0],
  ])
  return tf.conv2d(padded as tf.Tensor4D, filter, [strides[1], strides[2]], 'valid')
}

/** What is added around the picture is never the largest. */
function maxPool(attr: Node['attr'], x: tf.Tensor4D): tf.Tensor {
  if (text(attr.padding) !== 'EXPLICIT') throw new Error('MaxPool without explicit padding')
  const [, kernel = 0] = attr.ksize?.list?.i ?? []
  const [, stride = 0] = attr.strides?.list?.i ?? []
  const [, , top = 0, bottom = 0, left = 0, right = 0] = attr.explicit_paddings?.list?.i ?? []
  const around: [number, number][] = [
    [0, 0],
    [top, bottom],
    [left, right],
    [0, 0],
  ]
  return tf.maxPool(tf.pad(x, around, -1e30) as tf.Tensor4D, kernel, stride, 'valid')
}

function constant({ tensor }: Attribute): tf.Tensor {
  const { dtype, tensorShape, tensorContent } = required(tensor, 'value')
  const shape = (tensorShape.dim ?? []).map(({ size }) => size)
  const buffer = Uint8Array.from(tensorContent).buffer
  if (dtype === DT.int32) return tf.tensor([...new Int32Array(buffer)], shape, 'int32')
  if (dtype === DT.bfloat16) {
    const words = Uint32Array.from(new Uint16Array(buffer), (upper) => upper << 16)
    return tf.tensor(new Float32Array(words.buffer), shape)
  }
  if (dtype === DT.half) return tf.tensor(float16ToFloat32(new Uint16Array(buffer)), shape)
  return tf.tensor(new Float32Array(buffer), shape)
}

function text(attribute: Attribute | undefined): string {
  return Buffer.from(attribute?.s ?? []).toString()
}

function required<T>(value: T | undefined, name: string): T {
  if (value === undefined) throw new Error(`${name} is used before it is there`)
  return value
}

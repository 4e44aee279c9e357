import * as tf from '@tensorflow/tfjs-core'
import type {
  AddNode,
  ConvNode,
  DenseNode,
  Graph,
  MaxPoolNode,
  NormNode,
  PoolNode,
  SubsampleNode,
} from '../../resnet/graph.ts'

/** Tensors named by node and field, such as `conv1.weight`. The owner disposes of them. */
export type TensorWeights = Map<string, tf.Tensor>

/** Uploads the weights in tfjs' layouts: convolutions HWIO, dense layers [in, out]. */
export function uploadWeights(graph: Graph): TensorWeights {
  const weights: TensorWeights = new Map()
  for (const node of graph.nodes) {
    if (node.op === 'conv') {
      const { outChannels, inChannels, kernel } = node
      const oihw = tf.tensor4d(node.weight, [outChannels, inChannels, kernel, kernel])
      weights.set(`${node.name}.weight`, transposed(oihw, [2, 3, 1, 0]))
      weights.set(`${node.name}.bias`, tf.tensor1d(node.bias))
    } else if (node.op === 'dense') {
      weights.set(
        `${node.name}.weight`,
        transposed(tf.tensor2d(node.weight, [node.outFeatures, node.inFeatures]), [1, 0]),
      )
      weights.set(`${node.name}.bias`, tf.tensor1d(node.bias))
    } else if (node.op === 'norm') {
      weights.set(`${node.name}.scale`, tf.tensor1d(node.scale))
      weights.set(`${node.name}.shift`, tf.tensor1d(node.shift))
    } else if (node.op === 'pool') {
      weights.set(`${node.name}.matrix`, tf.tensor2d(node.matrix, [node.height, node.bands]))
    }
  }
  return weights
}

function transposed(tensor: tf.Tensor, order: number[]): tf.Tensor {
  const result = tf.transpose(tensor, order)
  tensor.dispose()
  return result
}

/**
 * Runs the graph op by op on `[batchSize, C, H, W]` values; intermediate values are NHWC. Call it in a `tf.tidy`, which
 * disposes of all tensors but the answers.
 */
export function interpret(
  graph: Graph,
  weights: TensorWeights,
  data: Float32Array,
  batchSize: number,
): { logits: tf.Tensor | undefined; embedding: tf.Tensor } {
  const nchw = tf.tensor4d(data, [batchSize, ...graph.input.shape])
  const values = new Map<string, tf.Tensor>([[graph.input.name, tf.transpose(nchw, [0, 2, 3, 1])]])
  const value = (name: string): tf.Tensor => get(values, name)
  for (const node of graph.nodes) values.set(node.name, evaluate(node, value, weights))
  const { logits, embedding } = graph.outputs
  return { logits: logits === undefined ? undefined : value(logits), embedding: value(embedding) }
}

function evaluate(node: Graph['nodes'][number], value: (name: string) => tf.Tensor, weights: TensorWeights): tf.Tensor {
  switch (node.op) {
    case 'conv':
      return conv(node, value(node.input) as tf.Tensor4D, weights)
    case 'norm':
      return norm(node, value(node.input), weights)
    case 'maxpool':
      return maxPool(node, value(node.input) as tf.Tensor4D)
    case 'averagepool':
      // "same" adds at the end of an odd height or width, and does not average what it adds.
      return tf.avgPool(value(node.input) as tf.Tensor4D, 2, 2, 'same')
    case 'add':
      return add(node, value(node.inputs[0]), value(node.inputs[1]))
    case 'subsample':
      return subsample(node, value(node.input))
    case 'pool':
      return pool(node, value(node.input), weights)
    case 'dense':
      return dense(node, value(node.input) as tf.Tensor2D, weights)
  }
}

/** Padding is explicit, since tfjs' "same" differs from PyTorch under stride 2. */
function conv(node: ConvNode, x: tf.Tensor4D, weights: TensorWeights): tf.Tensor {
  const { name, pad, stride, relu } = node
  return tf.fused.conv2d({
    x,
    filter: get(weights, `${name}.weight`) as tf.Tensor4D,
    bias: get(weights, `${name}.bias`),
    strides: stride,
    pad:
      pad === 0
        ? 'valid'
        : [
            [0, 0],
            [pad, pad],
            [pad, pad],
            [0, 0],
          ],
    activation: relu ? 'relu' : 'linear',
  })
}

function norm(node: NormNode, x: tf.Tensor, weights: TensorWeights): tf.Tensor {
  const scaled = tf.mul(x, get(weights, `${node.name}.scale`))
  const shifted = tf.add(scaled, get(weights, `${node.name}.shift`))
  return node.relu ? tf.relu(shifted) : shifted
}

function maxPool({ kernel, stride, pad }: MaxPoolNode, x: tf.Tensor4D): tf.Tensor {
  return tf.maxPool(x, kernel, stride, pad)
}

function add(node: AddNode, a: tf.Tensor, b: tf.Tensor): tf.Tensor {
  const sum = tf.add(a, b)
  return node.relu ? tf.relu(sum) : sum
}

function subsample(node: SubsampleNode, x: tf.Tensor): tf.Tensor {
  const { stride, padBefore, padAfter } = node
  const picked = stride === 1 ? x : tf.stridedSlice(x, [0, 0, 0, 0], x.shape, [1, stride, stride, 1])
  return tf.pad(picked, [
    [0, 0],
    [0, 0],
    [0, 0],
    [padBefore, padAfter],
  ])
}

/** `[N, H, W, C]` -> mean over W -> `[N, C, H]` x `[H, bands]` -> `[N, C * bands]`. */
function pool(node: PoolNode, x: tf.Tensor, weights: TensorWeights): tf.Tensor {
  const rows = tf.transpose(tf.mean(x, 2), [0, 2, 1])
  const flat = tf.reshape(rows, [-1, node.height])
  const pooled = tf.matMul(flat as tf.Tensor2D, get(weights, `${node.name}.matrix`) as tf.Tensor2D)
  return tf.reshape(pooled, [-1, ...node.shape])
}

function dense(node: DenseNode, x: tf.Tensor2D, weights: TensorWeights): tf.Tensor {
  const weight = get(weights, `${node.name}.weight`) as tf.Tensor2D
  const bias = get(weights, `${node.name}.bias`)
  return tf.fused.matMul({ a: x, b: weight, bias, activation: node.relu ? 'relu' : 'linear' })
}

function get(tensors: Map<string, tf.Tensor>, name: string): tf.Tensor {
  const tensor = tensors.get(name)
  if (tensor === undefined) throw new Error(`the graph uses ${name} before it is computed`)
  return tensor
}

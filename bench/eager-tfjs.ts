import { createRequire } from 'node:module'
import { join } from 'node:path'
import util from 'node:util'
import * as tf from '@tensorflow/tfjs-core'
import { type TensorWeights, uploadWeights } from '../src/engines/wasm/interpreter.ts'
import type { ConvNode, Graph } from '../src/resnet/graph.ts'

/**
 * The graph as tfjs-node runs a model without a SavedModel: op by op, fused where tfjs can, on the same native library
 * as the engine `tensorflow`. Resolves with a function that runs one batch.
 */
export async function openEager(
  graph: Graph,
  tensorflowDir: string,
): Promise<(input: Float32Array, batchSize: number) => void> {
  Object.assign(util, { isNullOrUndefined: (value: unknown) => value == null, isArray: Array.isArray })
  createRequire(join(tensorflowDir, 'package.json'))('@tensorflow/tfjs-node-gpu')
  await tf.setBackend('tensorflow')
  const weights = uploadWeights(graph)
  return (input, batchSize) => {
    const answers = tf.tidy(() => run(graph, weights, input, batchSize))
    for (const tensor of answers) tensor.dataSync()
    tf.dispose(answers)
  }
}

function run(graph: Graph, weights: TensorWeights, input: Float32Array, batchSize: number): tf.Tensor[] {
  const nchw = tf.tensor4d(input, [batchSize, ...graph.input.shape])
  const values = new Map<string, tf.Tensor>([[graph.input.name, tf.transpose(nchw, [0, 2, 3, 1])]])
  const value = (name: string): tf.Tensor => values.get(name) ?? (weights.get(name) as tf.Tensor)
  for (const node of graph.nodes) {
    switch (node.op) {
      case 'conv':
        values.set(node.name, convolution(node, value))
        break
      case 'add': {
        const sum = tf.add(value(node.inputs[0]), value(node.inputs[1]))
        values.set(node.name, node.relu ? tf.relu(sum) : sum)
        break
      }
      case 'pool': {
        const rows = tf.transpose(tf.mean(value(node.input), 2), [0, 2, 1])
        const flat = tf.reshape(rows, [-1, node.height]) as tf.Tensor2D
        const pooled = tf.matMul(flat, value(`${node.name}.matrix`) as tf.Tensor2D)
        values.set(node.name, tf.reshape(pooled, [-1, ...node.shape]))
        break
      }
      case 'dense': {
        const [a, b] = [value(node.input), value(`${node.name}.weight`)] as [tf.Tensor2D, tf.Tensor2D]
        values.set(node.name, tf.fused.matMul({ a, b, bias: value(`${node.name}.bias`) }))
        break
      }
      default:
        throw new Error(`only models like the default one are compared, without ${node.op}`)
    }
  }
  return Object.values(graph.outputs).map(value)
}

/**
 * tfjs-node pads by `same` or not at all. With stride 2, `same` differs from PyTorch's rule, so padding is an op here.
 */
function convolution(node: ConvNode, value: (name: string) => tf.Tensor): tf.Tensor {
  const { name, pad, stride, relu } = node
  const margin: [number, number] = [pad, pad]
  const input = value(node.input) as tf.Tensor4D
  const x = pad > 0 && stride > 1 ? (tf.pad(input, [[0, 0], margin, margin, [0, 0]]) as tf.Tensor4D) : input
  return tf.fused.conv2d({
    x,
    filter: value(`${name}.weight`) as tf.Tensor4D,
    bias: value(`${name}.bias`),
    strides: stride,
    pad: pad > 0 && stride === 1 ? 'same' : 'valid',
    activation: relu ? 'relu' : 'linear',
  })
}

/**
 * The model as every engine sees it: a list of nodes in execution order, free of any framework. Shapes are `[C, H, W]`
 * or `[features]`, without the batch dimension, which is always first and always free.
 */
export interface Graph {
  /** `[channels, height, width]` of one input; values float32, already normalised. */
  input: { name: string; shape: [number, number, number] }
  nodes: GraphNode[]
  /** Names of the two answers: `[numClasses]` and `[embeddingSize]` per item. */
  outputs: { logits: string; embedding: string }
}

export type GraphNode = ConvNode | AddNode | SubsampleNode | PoolNode | DenseNode

interface NodeBase {
  /** Unique; later nodes name this one as their input. */
  name: string
  shape: number[]
}

/** 2-d convolution, zero padding `pad` on all four sides (PyTorch's rule, also under stride 2), with batch norm folded in. */
export interface ConvNode extends NodeBase {
  op: 'conv'
  input: string
  /** `[out, in, kernel, kernel]`, row-major. */
  weight: Float32Array
  bias: Float32Array
  inChannels: number
  outChannels: number
  kernel: number
  stride: number
  pad: number
  relu: boolean
}

/** Elementwise sum of two values of one shape: where a block meets its shortcut. */
export interface AddNode extends NodeBase {
  op: 'add'
  inputs: [string, string]
  relu: boolean
}

/** Every `stride`-th row and column, then zero channels before and after: the shortcut without parameters. */
export interface SubsampleNode extends NodeBase {
  op: 'subsample'
  input: string
  stride: number
  padBefore: number
  padAfter: number
}

/**
 * Mean over W, then H reduced to `bands` by the constant matrix `[height, bands]`, then flattened channel-major:
 * `[C, H, W] -> [C * bands]`.
 */
export interface PoolNode extends NodeBase {
  op: 'pool'
  input: string
  channels: number
  height: number
  width: number
  bands: number
  matrix: Float32Array
}

/** `y = W x + b`, W `[outFeatures, inFeatures]`, row-major. */
export interface DenseNode extends NodeBase {
  op: 'dense'
  input: string
  weight: Float32Array
  bias: Float32Array
  inFeatures: number
  outFeatures: number
}

/** Weights and biases in all, for /info. */
export function countParameters(graph: Graph): number {
  let count = 0
  for (const node of graph.nodes) {
    if (node.op === 'conv' || node.op === 'dense') count += node.weight.length + node.bias.length
  }
  return count
}

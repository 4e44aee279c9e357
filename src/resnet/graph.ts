/**
 * The model as every engine sees it: nodes in execution order, independent of any framework. Shapes are `[C, H, W]` or
 * `[features]`; the batch dimension is left out, as it is always first and of any size.
 */
export interface Graph {
  /** One input: float32, normalised, `[C, H, W]`. */
  input: { name: string; shape: [number, number, number] }
  nodes: GraphNode[]
  /** Names of the nodes that answer: `[numClasses]` and `[embeddingSize]` per item. */
  outputs: { logits: string; embedding: string }
}

export type GraphNode = ConvNode | AddNode | SubsampleNode | PoolNode | DenseNode

interface NodeBase {
  /** Unique. Later nodes refer to this one by it. */
  name: string
  shape: number[]
}

/** 2-d convolution with batch norm folded in. `pad` zeros on all four sides, under stride 2 too, as in PyTorch. */
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

/** Elementwise sum of two values of the same shape: a block and its shortcut. */
export interface AddNode extends NodeBase {
  op: 'add'
  inputs: [string, string]
  relu: boolean
}

/** Keeps every `stride`-th row and column, then adds zero channels before and after: the shortcut without parameters. */
export interface SubsampleNode extends NodeBase {
  op: 'subsample'
  input: string
  stride: number
  padBefore: number
  padAfter: number
}

/**
 * Mean over W, then a product with the constant `matrix` `[height, bands]` along H, then flattened channel-major:
 * `[C, H, W] -> [C * bands]`.
 */
export interface PoolNode extends NodeBase {
  op: 'pool'
  input: string
  height: number
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

/** Values of one tensor of this shape. */
export function countValues(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1)
}

/** Number of weights and biases. */
export function countParameters(graph: Graph): number {
  let count = 0
  for (const node of graph.nodes) {
    if (node.op === 'conv' || node.op === 'dense') count += node.weight.length + node.bias.length
  }
  return count
}

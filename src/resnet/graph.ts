/**
 * The model as every engine sees it: nodes in execution order, independent of any framework. Shapes are `[C, H, W]` or
 * `[features]`; the batch dimension is left out, as it is always first and of any size.
 */
export interface Graph {
  /** One input: float32, normalised, `[C, H, W]`. */
  input: { name: string; shape: [number, number, number] }
  nodes: GraphNode[]
  /** Names of the nodes that answer: `[numClasses]` per item if the model has a classifier, and `[embeddingSize]`. */
  outputs: { logits?: string; embedding: string }
}

export type GraphNode =
  | ConvNode
  | NormNode
  | AddNode
  | MaxPoolNode
  | AveragePoolNode
  | SubsampleNode
  | PoolNode
  | DenseNode

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

/** `scale[c] * x + shift[c]`: a batch norm that follows no convolution. */
export interface NormNode extends NodeBase {
  op: 'norm'
  input: string
  scale: Float32Array
  shift: Float32Array
  relu: boolean
}

/** Elementwise sum of two values of the same shape: a block and its shortcut. */
export interface AddNode extends NodeBase {
  op: 'add'
  inputs: [string, string]
  relu: boolean
}

/** MaxPool2d. What `pad` adds on all four sides is never the largest. */
export interface MaxPoolNode extends NodeBase {
  op: 'maxpool'
  input: string
  kernel: number
  stride: number
  pad: number
}

/**
 * AvgPool2d(2, 2, ceil_mode=True, count_include_pad=False): the last window of an odd height or width averages only what
 * is there.
 */
export interface AveragePoolNode extends NodeBase {
  op: 'averagepool'
  input: string
  /** Of the input. */
  height: number
  width: number
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

/** `y = W x + b`, W `[outFeatures, inFeatures]`, row-major, then ReLU if `relu`. */
export interface DenseNode extends NodeBase {
  op: 'dense'
  input: string
  weight: Float32Array
  bias: Float32Array
  inFeatures: number
  outFeatures: number
  relu: boolean
}

/** Values of one tensor of this shape. */
export function countValues(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1)
}

/** Number of weights and biases, batch norms folded in. */
export function countParameters({ nodes }: Graph): number {
  let count = 0
  for (const node of nodes) {
    if (node.op === 'conv' || node.op === 'dense') count += node.weight.length + node.bias.length
    if (node.op === 'norm') count += node.scale.length + node.shift.length
  }
  return count
}

/** Multiplications with additions that one input costs in the convolutions and linear layers. The rest is next to nothing. */
export function countMultiplyAdds({ nodes }: Graph): number {
  let count = 0
  for (const node of nodes) {
    if (node.op === 'conv') count += node.inChannels * node.kernel ** 2 * countValues(node.shape)
    if (node.op === 'dense') count += node.inFeatures * node.outFeatures
  }
  return count
}

import { POOL_BANDS } from '../resnet/architecture.ts'
import type { LocatedResNet, Shapes } from './canonical-names.ts'

/** What follows the pool. */
export interface RecognizedHead {
  pool: 'bands' | 'mean'
  /** With `mean`; the outputs of the hidden layers. */
  hiddenSizes: number[]
  /** With `bands`. */
  embeddingSize: number | undefined
  /** 0 without a classifier. */
  numClasses: number
  /** Canonical name to the name as stored. Undefined for a bias that the layer does not have: it is written as zeros. */
  names: Map<string, string | undefined>
}

/**
 * Reads the classifier from its tensors: none, one linear layer, or several. `features` is the length of the pooled vector.
 * Throws a plain Error that names the tensor in the way.
 */
export function recognizeHead({ head }: LocatedResNet, shapes: Shapes, features: number): RecognizedHead {
  const layers = denseLayers(head, shapes)
  const [first, second] = layers
  if (first === undefined) {
    return { pool: 'mean', hiddenSizes: [], embeddingSize: undefined, numClasses: 0, names: new Map() }
  }
  if (
    first.name === 'fc' &&
    second?.name === 'linear' &&
    layers.length === 2 &&
    first.inputs === POOL_BANDS * features
  ) {
    assertChain(layers, POOL_BANDS * features)
    return {
      pool: 'bands',
      hiddenSizes: [],
      embeddingSize: first.outputs,
      numClasses: second.outputs,
      names: namesOf(layers, ['fc', 'linear'], head),
    }
  }
  assertChain(layers, features)
  const sizes = layers.map(({ outputs }) => outputs)
  const canonical = layers.length === 1 ? ['fc'] : layers.map((_, i) => `fc.${i}`)
  return {
    pool: 'mean',
    hiddenSizes: sizes.slice(0, -1),
    embeddingSize: undefined,
    numClasses: sizes.at(-1) as number,
    names: namesOf(layers, canonical, head),
  }
}

interface Dense {
  name: string
  inputs: number
  outputs: number
}

/** In the order of the file, which is that of the modules. */
function denseLayers(head: LocatedResNet['head'], shapes: Shapes): Dense[] {
  const layers = [...head].flatMap(([name, stored]): Dense[] => {
    const [outputs, inputs, ...kernel] = shapes.get(stored)?.shape ?? []
    const isDense = name.endsWith('.weight') && inputs !== undefined && kernel.every((size) => size === 1)
    return isDense ? [{ name: name.slice(0, -'.weight'.length), inputs, outputs: outputs as number }] : []
  })
  const known = new Set(layers.flatMap(({ name }) => [`${name}.weight`, `${name}.bias`]))
  for (const [name, stored] of head) {
    if (known.has(name)) continue
    throw new Error(
      `${stored} [${shapes.get(stored)?.shape}] is in the classifier, and it is no linear layer: only linear layers, ReLU and dropout are served there`,
    )
  }
  return layers
}

function assertChain(layers: Dense[], features: number): void {
  let length = features
  for (const { name, inputs, outputs } of layers) {
    if (inputs !== length) {
      throw new Error(`${name}.weight reads ${inputs} values, and what comes before it has ${length}`)
    }
    length = outputs
  }
}

function namesOf(layers: Dense[], canonical: string[], head: LocatedResNet['head']): RecognizedHead['names'] {
  const names: RecognizedHead['names'] = new Map()
  for (const [i, { name }] of layers.entries()) {
    names.set(`${canonical[i]}.weight`, head.get(`${name}.weight`))
    names.set(`${canonical[i]}.bias`, head.get(`${name}.bias`))
  }
  return names
}

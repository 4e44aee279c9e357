import { type Architecture, POOL_BANDS } from './architecture.ts'
import { residualBlock } from './block.ts'
import type { Graph } from './graph.ts'
import { type FeatureMap, Layers } from './layers.ts'
import type { StateDict } from './state-dict.ts'

/**
 * Builds a ResNet's graph from its weights, for inputs of `height` x `width`. Throws when a tensor is missing, has the wrong
 * shape, or is left over.
 */
export function buildResNet(arch: Architecture, weights: StateDict, height: number, width: number): Graph {
  const input = { name: 'input', shape: [arch.inChannels, height, width] } satisfies FeatureMap
  const layers = new Layers(weights)
  let value = stem(arch, layers, input)
  for (const [stage, blocks] of arch.layers.entries()) {
    for (let index = 0; index < blocks; index++) {
      const stride = stage > 0 && index === 0 ? 2 : 1
      const name = `layer${stage + 1}.${index}`
      value = residualBlock(arch, layers, value, { name, planes: arch.planes[stage] as number, stride })
    }
  }
  if (arch.preactivation) value = layers.norm(value, 'norm')
  const outputs = head(arch, layers, value)
  weights.assertAllTaken()
  return { input, nodes: layers.nodes, outputs }
}

/**
 * The layers of a deep stem are numbered as in timm's `nn.Sequential`: conv, norm, ReLU, conv ... Pre-activation leaves the norm
 * and ReLU after the last convolution to the first block.
 */
function stem(
  { stem: { convs, maxPool }, preactivation }: Architecture,
  layers: Layers,
  input: FeatureMap,
): FeatureMap {
  let value = input
  for (const [i, conv] of convs.entries()) {
    const isLast = i === convs.length - 1
    const norm = isLast ? (preactivation ? undefined : 'bn1') : `conv1.${3 * i + 1}`
    const name = convs.length === 1 ? 'conv1' : `conv1.${3 * i}`
    value = layers.conv(value, name, { ...conv, norm, relu: norm !== undefined })
  }
  return maxPool ? layers.maxPool(value, 'maxpool') : value
}

function head(arch: Architecture, layers: Layers, value: FeatureMap): Graph['outputs'] {
  const { hiddenSizes, embeddingSize, numClasses } = arch
  if (arch.pool === 'bands') {
    const inFeatures = layers.pool(value, 'pool', POOL_BANDS)
    layers.dense('pool', 'fc', { inFeatures, outFeatures: embeddingSize, relu: false })
    layers.dense('fc', 'linear', { inFeatures: embeddingSize, outFeatures: numClasses, relu: false })
    return { logits: 'linear', embedding: 'fc' }
  }
  let inFeatures = layers.pool(value, 'pool', 1)
  if (numClasses === 0) return { embedding: 'pool' }
  let last = 'pool'
  for (const [i, outFeatures] of [...hiddenSizes, numClasses].entries()) {
    const name = hiddenSizes.length === 0 ? 'fc' : `fc.${i}`
    layers.dense(last, name, {
      inFeatures,
      outFeatures,
      relu: i < hiddenSizes.length && arch.hiddenActivation === 'relu',
    })
    inFeatures = outFeatures
    last = name
  }
  return { logits: last, embedding: 'pool' }
}

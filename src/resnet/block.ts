import { type Architecture, expansion, innerWidth } from './architecture.ts'
import type { FeatureMap, Layers } from './layers.ts'

/** Where a block is and what it does. */
interface BlockSpec {
  /** Prefix of its layers in the state_dict; also the name of its value. */
  name: string
  planes: number
  stride: number
}

/**
 * A residual block. Post-activation (v1): conv, norm, ReLU ..., norm, plus the shortcut, ReLU. Pre-activation (v2): norm, ReLU,
 * conv ..., plus the shortcut; `bn{c}` then comes before `conv{c}`, and is folded into the convolution before that one.
 */
export function residualBlock(arch: Architecture, layers: Layers, input: FeatureMap, block: BlockSpec): FeatureMap {
  const { preactivation } = arch
  const { name } = block
  const steps = convolutions(arch, block)
  const first = preactivation ? layers.norm(input, `${name}.bn1`) : input
  let value = first
  for (const [i, step] of steps.entries()) {
    const isLast = i === steps.length - 1
    const norm = preactivation ? (isLast ? undefined : `${name}.bn${i + 2}`) : `${name}.bn${i + 1}`
    value = layers.conv(value, `${name}.conv${i + 1}`, { ...step, norm, relu: !isLast })
  }
  const out = value.shape[0]
  const added = block.stride === 1 && input.shape[0] === out ? input : shortcut(arch, layers, first, block, out)
  return layers.add(value, added, name, !preactivation)
}

function convolutions({ block, baseWidth, strideOn }: Architecture, { planes, stride }: BlockSpec) {
  const out = planes * expansion(block)
  if (block === 'basic') {
    return [
      { out: planes, kernel: 3, stride },
      { out, kernel: 3, stride: 1 },
    ]
  }
  const inner = innerWidth(planes, baseWidth)
  return [
    { out: inner, kernel: 1, stride: strideOn === '1x1' ? stride : 1 },
    { out: inner, kernel: 3, stride: strideOn === '3x3' ? stride : 1 },
    { out, kernel: 1, stride: 1 },
  ]
}

/** What is added where the block changes the shape. */
function shortcut(
  { shortcut: kind, preactivation }: Architecture,
  layers: Layers,
  input: FeatureMap,
  block: BlockSpec,
  out: number,
): FeatureMap {
  const name = `${block.name}.shortcut`
  let { stride } = block
  if (kind === 'zero-pad' || kind === 'zero-pad-after') {
    const before = kind === 'zero-pad' ? Math.floor((out - input.shape[0]) / 2) : 0
    return layers.subsample(input, name, out, stride, before)
  }
  let value = input
  if (kind === 'pooled-projection' && stride !== 1) {
    value = layers.averagePool(value, `${name}.pool`)
    stride = 1
  }
  const norm = preactivation ? undefined : `${name}.1`
  return layers.conv(value, `${name}.0`, { out, kernel: 1, stride, relu: false, norm })
}

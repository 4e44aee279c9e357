import type { ConvNode } from '../../resnet/graph.ts'
import { int, ints } from './builder.ts'
import type { OnnxAttribute } from './schema.ts'

/** What ONNX's Conv and QLinearConv do. `weight` is `[outChannels, inChannels / group, kernel, kernel]`. */
export interface Convolution
  extends Pick<ConvNode, 'weight' | 'bias' | 'inChannels' | 'outChannels' | 'kernel' | 'stride' | 'pad'> {
  /** 1 unless given. */
  group?: number
}

/** A convolution of each channel by itself, without padding. `weight` is `[channels, 1, kernel, kernel]`. */
export function perChannel(each: Pick<Convolution, 'weight' | 'bias' | 'kernel' | 'stride'>): Convolution {
  const channels = each.bias.length
  return { ...each, inChannels: channels, outChannels: channels, pad: 0, group: channels }
}

export function weightDims({ outChannels, inChannels, kernel, group = 1 }: Convolution): number[] {
  return [outChannels, inChannels / group, kernel, kernel]
}

export function convAttributes(convolution: Convolution): OnnxAttribute[] {
  const { group } = convolution
  return [...windowAttributes(convolution), ...(group === undefined ? [] : [int('group', group)])]
}

/** Of a convolution or a pool. */
export function windowAttributes({
  kernel,
  stride,
  pad,
}: Pick<Convolution, 'kernel' | 'stride' | 'pad'>): OnnxAttribute[] {
  return [ints('kernel_shape', [kernel, kernel]), ints('strides', [stride, stride]), ints('pads', [pad, pad, pad, pad])]
}

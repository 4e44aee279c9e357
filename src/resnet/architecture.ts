import { type Static, Type } from 'typebox'
import { Value } from 'typebox/value'

/** Blocks per stage of the published depths (He et al., "Deep Residual Learning", table 1). */
const DEPTHS = {
  18: { block: 'basic', layers: [2, 2, 2, 2] },
  34: { block: 'basic', layers: [3, 4, 6, 3] },
  50: { block: 'bottleneck', layers: [3, 4, 6, 3] },
  101: { block: 'bottleneck', layers: [3, 4, 23, 3] },
  152: { block: 'bottleneck', layers: [3, 8, 36, 3] },
} as const

const positive = (maximum: number) => Type.Integer({ minimum: 1, maximum })

/** `architecture` in model.json: either a depth, or a block and its layers. The rest defaults to the published values. */
export const ArchitectureSchema = Type.Object(
  {
    depth: Type.Optional(Type.Enum([18, 34, 50, 101, 152])),
    block: Type.Optional(Type.Union([Type.Literal('basic'), Type.Literal('bottleneck')])),
    layers: Type.Optional(Type.Array(positive(256), { minItems: 1, maxItems: 8 })),
    width: Type.Optional(positive(1024)),
    shortcut: Type.Optional(Type.Union([Type.Literal('projection'), Type.Literal('zero-pad')])),
    in_channels: Type.Optional(positive(1024)),
    embedding_size: Type.Optional(positive(65536)),
    num_classes: Type.Optional(positive(1_000_000)),
  },
  { additionalProperties: false },
)

export interface Architecture {
  block: 'basic' | 'bottleneck'
  /** Blocks per stage. Stage i has `width * 2^i` planes, and stride 2 in its first block when i > 0. */
  layers: readonly number[]
  /** Planes of the stem and of the first stage. */
  width: number
  shortcut: 'projection' | 'zero-pad'
  inChannels: number
  embeddingSize: number
  numClasses: number
}

/** Bands along H that the pool keeps: AdaptiveAvgPool2d([4, 1]). */
export const POOL_BANDS = 4

/** Output channels of a block, as a multiple of its planes. */
export function expansion(block: Architecture['block']): number {
  return block === 'bottleneck' ? 4 : 1
}

/** Fills in the defaults. Throws a plain Error for the author of model.json. */
export function parseArchitecture(json: Static<typeof ArchitectureSchema>): Architecture {
  Value.Assert(ArchitectureSchema, json)
  const { depth } = json
  const isTwofold = depth !== undefined && (json.block !== undefined || json.layers !== undefined)
  const { block, layers } = depth === undefined ? json : DEPTHS[depth as keyof typeof DEPTHS]
  if (isTwofold || block === undefined || layers === undefined) {
    throw new Error('architecture: give either depth, or block and layers')
  }
  return {
    block,
    layers,
    width: json.width ?? 64,
    shortcut: json.shortcut ?? 'projection',
    inChannels: json.in_channels ?? 1,
    embeddingSize: json.embedding_size ?? 256,
    numClasses: json.num_classes ?? 9,
  }
}

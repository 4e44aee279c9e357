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

const StemSchema = Type.Object(
  {
    /** Each pads by (kernel - 1) / 2, so kernels are odd. */
    convs: Type.Array(
      Type.Object(
        { out: positive(8192), kernel: Type.Enum([1, 3, 5, 7, 9, 11]), stride: positive(4) },
        { additionalProperties: false },
      ),
      { minItems: 1, maxItems: 8 },
    ),
    max_pool: Type.Boolean(),
  },
  { additionalProperties: false },
)

/** `architecture` in model.json; docs/model.md has the fields. All defaults are those of the one-channel family. */
export const ArchitectureSchema = Type.Object(
  {
    depth: Type.Optional(Type.Enum([18, 34, 50, 101, 152])),
    block: Type.Optional(Type.Enum(['basic', 'bottleneck'])),
    layers: Type.Optional(Type.Array(positive(256), { minItems: 1, maxItems: 8 })),
    width: Type.Optional(positive(1024)),
    planes: Type.Optional(Type.Array(positive(8192), { minItems: 1, maxItems: 8 })),
    base_width: Type.Optional(positive(1024)),
    in_channels: Type.Optional(positive(1024)),
    stem: Type.Optional(StemSchema),
    stride_on: Type.Optional(Type.Enum(['3x3', '1x1'])),
    shortcut: Type.Optional(Type.Enum(['projection', 'zero-pad', 'zero-pad-after', 'pooled-projection'])),
    preactivation: Type.Optional(Type.Boolean()),
    pool: Type.Optional(Type.Enum(['bands', 'mean'])),
    hidden_sizes: Type.Optional(Type.Array(positive(65536), { maxItems: 8 })),
    hidden_activation: Type.Optional(Type.Enum(['relu', 'none'])),
    embedding_size: Type.Optional(positive(65536)),
    num_classes: Type.Optional(Type.Integer({ minimum: 0, maximum: 1_000_000 })),
  },
  { additionalProperties: false },
)

export type ArchitectureJson = Static<typeof ArchitectureSchema>

export interface Architecture {
  block: 'basic' | 'bottleneck'
  /** Blocks per stage. The first block of each stage but the first has stride 2. */
  layers: readonly number[]
  /** Planes of each stage. Its blocks have `planes * expansion` output channels. */
  planes: readonly number[]
  /** Width of a bottleneck's 3x3 for 64 planes: torchvision's `width_per_group`. */
  baseWidth: number
  inChannels: number
  stem: Stem
  /** Which convolution of a bottleneck has the block's stride: v1.5 or v1. */
  strideOn: '3x3' | '1x1'
  /** What a block adds where its shapes differ: `zero-pad` puts half of the zeros before the channels. */
  shortcut: 'projection' | 'zero-pad' | 'zero-pad-after' | 'pooled-projection'
  /** Batch norm and ReLU before each convolution (v2) instead of after it. */
  preactivation: boolean
  /** `bands`: `POOL_BANDS` means along H, then a linear layer makes the embedding. `mean`: the global mean is the embedding. */
  pool: 'bands' | 'mean'
  /** Outputs of the classifier's layers before its last. */
  hiddenSizes: readonly number[]
  hiddenActivation: 'relu' | 'none'
  embeddingSize: number
  /** 0: the model has no classifier. */
  numClasses: number
}

export interface Stem {
  convs: readonly { out: number; kernel: number; stride: number }[]
  maxPool: boolean
}

/** Bands along H that the pool `bands` keeps: AdaptiveAvgPool2d([4, 1]). */
export const POOL_BANDS = 4

/** Output channels of a block, as a multiple of its planes. */
export function expansion(block: Architecture['block']): number {
  return block === 'bottleneck' ? 4 : 1
}

/** Channels of a bottleneck between its 1x1 convolutions. */
export function innerWidth(planes: number, baseWidth: number): number {
  return Math.floor((planes * baseWidth) / 64)
}

/** Fills in the defaults. Throws a plain Error for the author of model.json. */
export function parseArchitecture(json: ArchitectureJson): Architecture {
  Value.Assert(ArchitectureSchema, json)
  const { block, layers } = blocksOf(json)
  const planes = json.planes ?? layers.map((_, stage) => (json.width ?? 64) * 2 ** stage)
  const [firstPlanes, lastPlanes] = [planes[0] as number, planes.at(-1) as number]
  const pool = json.pool ?? 'bands'
  const architecture: Architecture = {
    block,
    layers,
    planes,
    baseWidth: json.base_width ?? 64,
    inChannels: json.in_channels ?? 1,
    stem: json.stem
      ? { convs: json.stem.convs, maxPool: json.stem.max_pool }
      : { convs: [{ out: firstPlanes, kernel: 3, stride: 1 }], maxPool: false },
    strideOn: json.stride_on ?? '3x3',
    shortcut: json.shortcut ?? 'projection',
    preactivation: json.preactivation ?? false,
    pool,
    hiddenSizes: json.hidden_sizes ?? [],
    hiddenActivation: json.hidden_activation ?? 'relu',
    embeddingSize: pool === 'mean' ? lastPlanes * expansion(block) : (json.embedding_size ?? 256),
    numClasses: json.num_classes ?? 9,
  }
  const wrong = contradiction(json, architecture)
  if (wrong !== undefined) throw new Error(`architecture: ${wrong}`)
  return architecture
}

function blocksOf({ depth, block, layers }: ArchitectureJson): Pick<Architecture, 'block' | 'layers'> {
  if (depth !== undefined && block === undefined && layers === undefined) return DEPTHS[depth as keyof typeof DEPTHS]
  if (depth === undefined && block !== undefined && layers !== undefined) return { block, layers }
  throw new Error('architecture: give either depth, or block and layers')
}

/** Fields that exclude each other, or that would have no effect: the author has another model than this would be. */
function contradiction(json: ArchitectureJson, architecture: Architecture): string | undefined {
  const { block, layers, planes, baseWidth, pool, shortcut, preactivation, hiddenSizes, numClasses } = architecture
  const rules: [isBroken: boolean, sentence: string][] = [
    [json.width !== undefined && json.planes !== undefined, 'give either width or planes'],
    [planes.length !== layers.length, `planes has ${planes.length} stages, layers has ${layers.length}`],
    [block === 'basic' && json.base_width !== undefined, 'base_width goes with bottleneck blocks only'],
    [block === 'basic' && json.stride_on !== undefined, 'stride_on goes with bottleneck blocks only'],
    [planes.some((each) => innerWidth(each, baseWidth) === 0), 'base_width leaves a 3x3 convolution no channels'],
    [preactivation && shortcut.startsWith('zero-pad'), `preactivation does not go with shortcut ${shortcut}`],
    [preactivation && json.stride_on === '1x1', 'preactivation does not go with stride_on 1x1'],
    [pool === 'mean' && json.embedding_size !== undefined, 'embedding_size goes with pool bands only'],
    [pool === 'bands' && json.hidden_sizes !== undefined, 'hidden_sizes goes with pool mean only'],
    [pool === 'bands' && json.hidden_activation !== undefined, 'hidden_activation goes with pool mean only'],
    [pool === 'bands' && numClasses === 0, 'num_classes 0 goes with pool mean only'],
    [numClasses === 0 && hiddenSizes.length > 0, 'hidden_sizes needs a classifier, and num_classes is 0'],
  ]
  return rules.find(([isBroken]) => isBroken)?.[1]
}

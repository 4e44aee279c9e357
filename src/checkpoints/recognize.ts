import { type ArchitectureJson, expansion } from '../resnet/architecture.ts'
import type { LocatedResNet, Shapes } from './canonical-names.ts'
import { type Choice, openChoices } from './choices.ts'
import { type RecognizedHead, recognizeHead } from './recognize-head.ts'
import { type RecognizedStages, recognizeStages } from './recognize-stages.ts'
import { type RecognizedStem, recognizeStem } from './recognize-stem.ts'
import { type Source, TakenTensors } from './taken-tensors.ts'

export interface Recognized {
  /** Where the ResNet lies in the state_dict: `backbone.`, or empty. */
  prefix: string
  /** Whose names its tensors have. */
  dialect: string
  /** With the defaults of `choices`. */
  architecture: ArchitectureJson
  /** What neither names nor shapes tell. */
  choices: Choice[]
  /** Canonical names (docs/model.md), in the order of the model. */
  tensors: Map<string, Source>
  /** Names as stored that are no part of the model. */
  leftOver: string[]
}

/**
 * Reads a ResNet's architecture from names and shapes. Throws a plain Error that says which tensor is in the way and what
 * would help.
 */
export function recognize(located: LocatedResNet, shapes: Shapes): Recognized {
  const { prefix, dialect, body, rest } = located
  const taken = new TakenTensors(located, shapes)
  const preactivation = body.has('norm.weight') || !body.has('bn1.weight')
  const stem = recognizeStem(located, taken, preactivation)
  const { block, layers, planes, baseWidth, projection } = recognizeStages(located, taken, preactivation)
  if (preactivation) taken.takeNorm('norm')
  const features = (planes.at(-1) as number) * expansion(block)
  const head = recognizeHead(located, shapes, features)
  taken.takeHead(head.names)
  taken.assertNothingInTheWay()

  const stemWidth = stem.convs.at(-1)?.out
  const needsShortcut = layers.length > 1 || stemWidth !== (planes[0] as number) * expansion(block)
  const isDoubling = planes.every((count, stage) => count === (planes[0] as number) * 2 ** stage)
  const architecture: ArchitectureJson = {
    block,
    layers,
    ...(isDoubling ? { width: planes[0] as number } : { planes }),
    ...(baseWidth === 64 ? {} : { base_width: baseWidth }),
    in_channels: stem.inChannels,
    stem: { convs: stem.convs, max_pool: stem.maxPool },
    shortcut: shortcutOf(projection, stem, preactivation),
    ...(preactivation ? { preactivation } : {}),
    ...headOf(head),
  }
  return {
    prefix,
    dialect,
    architecture,
    choices: openChoices(architecture, projection === 'none' && needsShortcut),
    tensors: taken.sources,
    leftOver: rest,
  }
}

function shortcutOf(projection: RecognizedStages['projection'], { convs }: RecognizedStem, preactivation: boolean) {
  if (projection === 'none') return 'zero-pad'
  // timm's resnetv2 names the projection alike with and without the pool; those with a deep stem have it.
  const isPooled = projection === 'second' || (preactivation && convs.length > 1)
  return isPooled ? 'pooled-projection' : 'projection'
}

function headOf({ pool, hiddenSizes, embeddingSize, numClasses }: RecognizedHead): Partial<ArchitectureJson> {
  return {
    pool,
    ...(hiddenSizes.length > 0 ? { hidden_sizes: hiddenSizes } : {}),
    ...(embeddingSize === undefined ? {} : { embedding_size: embeddingSize }),
    num_classes: numClasses,
  }
}

import type { ArchitectureJson } from '../resnet/architecture.ts'

/** Something that two different models with the same tensors may differ in. */
export interface Choice {
  /** On the command line: `--stride-on`. */
  flag: string
  /** The value that is taken unless the flag, a file beside the weights or `--check` says otherwise comes first. */
  values: string[]
  /** What the values mean, for people. */
  what: string
  apply(architecture: ArchitectureJson, value: string): ArchitectureJson
}

/** Values of choices by their flag, and what says so. */
export type Known = Map<string, { value: string; source: string }>

/** What names and shapes leave open in this architecture. */
export function openChoices(architecture: ArchitectureJson, isZeroPad: boolean): Choice[] {
  const { block, stem, hidden_sizes, preactivation, shortcut } = architecture
  const choices: Choice[] = []
  if (block === 'bottleneck' && !preactivation) choices.push(STRIDE_ON)
  if (isZeroPad) choices.push(ZERO_PAD)
  if (preactivation && shortcut !== 'zero-pad') choices.push(projection(shortcut === 'pooled-projection'))
  if (stem?.convs.length === 1) choices.push(stemStride(stem.convs[0]?.stride ?? 1), maxPool(stem.max_pool ?? false))
  if (hidden_sizes !== undefined && hidden_sizes.length > 0) choices.push(HIDDEN_ACTIVATION)
  return choices
}

const STRIDE_ON: Choice = {
  flag: 'stride-on',
  values: ['3x3', '1x1'],
  what: 'the convolution of a bottleneck that has the stride: 3x3 (v1.5: torchvision, timm) or 1x1 (v1: the paper)',
  apply: (architecture, value) => ({ ...architecture, stride_on: value as '3x3' | '1x1' }),
}

const ZERO_PAD: Choice = {
  flag: 'shortcut',
  values: ['zero-pad', 'zero-pad-after'],
  what: 'channels of zeros half before and half after (zero-pad), or all after the others (zero-pad-after)',
  apply: (architecture, value) => ({ ...architecture, shortcut: value as 'zero-pad' | 'zero-pad-after' }),
}

const projection = (isPooled: boolean): Choice => ({
  flag: 'shortcut',
  values: isPooled ? ['pooled-projection', 'projection'] : ['projection', 'pooled-projection'],
  what: 'a projection after an average pool (ResNet-D), or with the stride itself',
  apply: (architecture, value) => ({ ...architecture, shortcut: value as 'projection' | 'pooled-projection' }),
})

const stemStride = (usual: number): Choice => ({
  flag: 'stem-stride',
  values: usual === 2 ? ['2', '1'] : ['1', '2'],
  what: 'the stride of the first convolution',
  apply: ({ stem, ...architecture }, value) => {
    const convs = (stem?.convs ?? []).map((conv) => ({ ...conv, stride: Number(value) }))
    return { ...architecture, stem: { convs, max_pool: stem?.max_pool ?? false } }
  },
})

const maxPool = (usual: boolean): Choice => ({
  flag: 'max-pool',
  values: usual ? ['yes', 'no'] : ['no', 'yes'],
  what: 'a max-pool after the first convolution',
  apply: ({ stem, ...architecture }, value) => ({
    ...architecture,
    stem: { convs: stem?.convs ?? [], max_pool: value === 'yes' },
  }),
})

const HIDDEN_ACTIVATION: Choice = {
  flag: 'hidden-activation',
  values: ['relu', 'none'],
  what: 'what follows the hidden layers of the classifier',
  apply: (architecture, value) => ({ ...architecture, hidden_activation: value as 'relu' | 'none' }),
}

/** Every combination of values, the defaults first. */
export function combinations(choices: Choice[]): string[][] {
  return choices.reduce<string[][]>(
    (some, { values }) => some.flatMap((combination) => values.map((value) => [...combination, value])),
    [[]],
  )
}

export function applyChoices(architecture: ArchitectureJson, choices: Choice[], values: string[]): ArchitectureJson {
  return choices.reduce((changed, choice, i) => choice.apply(changed, values[i] as string), architecture)
}

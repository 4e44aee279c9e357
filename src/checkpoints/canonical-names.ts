import { isCounter } from '../resnet/state-dict.ts'

/** Names and shapes: all that recognition looks at. */
export type Shapes = ReadonlyMap<string, { readonly shape: readonly number[] }>

/** Where a ResNet lies in a state_dict, and what its tensors are called. */
export interface LocatedResNet {
  /** `backbone.`, or empty. */
  prefix: string
  /** Whose names these are. */
  dialect: string
  /** Canonical name (docs/model.md) to the name as stored. */
  body: Map<string, string>
  /** Tensors of a classifier by the name under the prefix, in the order of the file. */
  head: Map<string, string>
  /** Names as stored that are no part of it. */
  rest: string[]
}

interface Dialect {
  name: string
  /** The first convolution's weight: any of these, by which a ResNet is found in a file. */
  stems: string[]
  /** The first convolution of the first block, which must lie beside it. */
  block: string
  /** Names under the prefix to canonical names; the first rule that matches renames. */
  rules: [RegExp, (...groups: string[]) => string][]
  head: RegExp
}

const NORM = '(weight|bias|running_mean|running_var)'
const oneMore = (index: string): number => Number(index) + 1

const rule = (pattern: string, name: (...groups: string[]) => string): Dialect['rules'][number] => [
  new RegExp(`^${pattern}$`),
  name,
]

const DIALECTS: Dialect[] = [
  {
    name: 'torchvision and timm',
    stems: ['conv1.weight', 'conv1.0.weight'],
    block: 'layer1.0.conv1.weight',
    rules: [
      rule(`(conv1(?:\\.\\d)?|bn1|layer\\d+\\.\\d+\\.(?:conv|bn)\\d)\\.${NORM}`, (part, kind) => `${part}.${kind}`),
      rule(
        `(layer\\d+\\.\\d+)\\.(?:downsample|shortcut)\\.(\\d)\\.${NORM}`,
        (block, i, kind) => `${block}.shortcut.${i}.${kind}`,
      ),
    ],
    head: /^(fc|linear|classifier|head|last_linear)\./,
  },
  {
    name: 'children of a torchvision ResNet',
    stems: ['0.weight'],
    block: '4.0.conv1.weight',
    rules: [
      rule(`0\\.${NORM}`, (kind) => `conv1.${kind}`),
      rule(`1\\.${NORM}`, (kind) => `bn1.${kind}`),
      rule(`(\\d)\\.(\\d+\\.(?:conv|bn)\\d)\\.${NORM}`, (i, part, kind) => `layer${Number(i) - 3}.${part}.${kind}`),
      rule(
        `(\\d)\\.(\\d+)\\.downsample\\.(\\d)\\.${NORM}`,
        (i, block, j, kind) => `layer${Number(i) - 3}.${block}.shortcut.${j}.${kind}`,
      ),
    ],
    head: /^(9|10)\.(weight|bias)/,
  },
  {
    name: 'transformers',
    stems: ['resnet.embedder.embedder.convolution.weight', 'embedder.embedder.convolution.weight'],
    block: 'encoder.stages.0.layers.0.layer.0.convolution.weight',
    rules: [
      rule(`(?:resnet\\.)?embedder\\.embedder\\.convolution\\.${NORM}`, (kind) => `conv1.${kind}`),
      rule(`(?:resnet\\.)?embedder\\.embedder\\.normalization\\.${NORM}`, (kind) => `bn1.${kind}`),
      rule(
        `(?:resnet\\.)?encoder\\.stages\\.(\\d+)\\.layers\\.(\\d+)\\.layer\\.(\\d)\\.(convolution|normalization)\\.${NORM}`,
        (stage, block, i, part, kind) =>
          `layer${oneMore(stage)}.${block}.${part === 'convolution' ? 'conv' : 'bn'}${oneMore(i)}.${kind}`,
      ),
      rule(
        `(?:resnet\\.)?encoder\\.stages\\.(\\d+)\\.layers\\.(\\d+)\\.shortcut\\.(convolution|normalization)\\.${NORM}`,
        (stage, block, part, kind) =>
          `layer${oneMore(stage)}.${block}.shortcut.${part === 'convolution' ? 0 : 1}.${kind}`,
      ),
    ],
    head: /^classifier\./,
  },
  {
    name: 'timm resnetv2',
    stems: ['stem.conv.weight', 'stem.conv1.weight'],
    block: 'stages.0.blocks.0.conv1.weight',
    rules: [
      rule('stem\\.conv\\.weight', () => 'conv1.weight'),
      // conv, norm, act, conv, norm, act, conv: the numbers that the layers of such a stem have in timm's other ResNets.
      rule('stem\\.conv(\\d)\\.weight', (i) => `conv1.${3 * (Number(i) - 1)}.weight`),
      rule(`stem\\.norm(\\d)\\.${NORM}`, (i, kind) => `conv1.${3 * (Number(i) - 1) + 1}.${kind}`),
      rule(
        `stages\\.(\\d+)\\.blocks\\.(\\d+)\\.(conv|norm)(\\d)\\.${NORM}`,
        (stage, block, part, i, kind) =>
          `layer${oneMore(stage)}.${block}.${part === 'conv' ? 'conv' : 'bn'}${i}.${kind}`,
      ),
      rule(
        'stages\\.(\\d+)\\.blocks\\.(\\d+)\\.downsample\\.conv\\.weight',
        (stage, block) => `layer${oneMore(stage)}.${block}.shortcut.0.weight`,
      ),
      rule(`norm\\.${NORM}`, (kind) => `norm.${kind}`),
    ],
    head: /^head\./,
  },
]

/** Every ResNet in a state_dict, by the names of its first tensors, whatever is in front of them. */
export function locateResNets(shapes: Shapes): LocatedResNet[] {
  // What torch.compile puts before the names of the parts that it compiled.
  const plain = new Map([...shapes.keys()].map((name) => [name.replaceAll('_orig_mod.', ''), name]))
  return DIALECTS.flatMap((dialect) => prefixesOf(dialect, plain).map((prefix) => locate(dialect, prefix, plain)))
}

function prefixesOf({ stems, block }: Dialect, plain: Map<string, string>): string[] {
  const prefixes = [...plain.keys()].flatMap((name) =>
    stems.filter((stem) => name === stem || name.endsWith(`.${stem}`)).map((stem) => name.slice(0, -stem.length)),
  )
  // transformers has `resnet.` before the body and not before the classifier: the longer stem comes first.
  const isWhole = (prefix: string): boolean => plain.has(`${prefix}${block}`) || plain.has(`${prefix}resnet.${block}`)
  return [...new Set(prefixes)].filter(
    (prefix) => isWhole(prefix) && !(prefix.endsWith('resnet.') && isWhole(prefix.slice(0, -'resnet.'.length))),
  )
}

function locate(dialect: Dialect, prefix: string, plain: Map<string, string>): LocatedResNet {
  const located: LocatedResNet = { prefix, dialect: dialect.name, body: new Map(), head: new Map(), rest: [] }
  for (const [name, stored] of plain) {
    if (isCounter(name)) continue
    const own = name.startsWith(prefix) ? name.slice(prefix.length) : undefined
    const canonical = own === undefined ? undefined : rename(dialect, own)
    if (canonical !== undefined) located.body.set(canonical, stored)
    else if (own !== undefined && dialect.head.test(own)) located.head.set(own, stored)
    else located.rest.push(stored)
  }
  return located
}

function rename({ rules }: Dialect, name: string): string | undefined {
  for (const [pattern, canonical] of rules) {
    const match = pattern.exec(name)
    if (match) return canonical(...match.slice(1))
  }
  return undefined
}

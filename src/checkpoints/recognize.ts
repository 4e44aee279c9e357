import { type ArchitectureJson, expansion, innerWidth } from '../resnet/architecture.ts'
import type { LocatedResNet, Shapes } from './canonical-names.ts'
import { type Choice, openChoices } from './choices.ts'
import { type RecognizedHead, recognizeHead } from './recognize-head.ts'

/** Where a canonical tensor comes from. `minus` is a convolution's bias, which the batch norm after it takes off its mean. */
export type Source = { stored: string; minus?: string | undefined } | 'zeros'

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

type Kernel = NonNullable<ArchitectureJson['stem']>['convs'][number]['kernel']

/**
 * Reads a ResNet's architecture from names and shapes. Throws a plain Error that says which tensor is in the way and what
 * would help.
 */
export function recognize(located: LocatedResNet, shapes: Shapes): Recognized {
  return new Recognizer(located, shapes).recognize()
}

class Recognizer {
  readonly #located: LocatedResNet
  readonly #shapes: Shapes
  readonly #tensors = new Map<string, Source>()
  readonly #taken = new Set<string>()

  constructor(located: LocatedResNet, shapes: Shapes) {
    this.#located = located
    this.#shapes = shapes
  }

  recognize(): Recognized {
    const { prefix, dialect, body, rest } = this.#located
    const preactivation = body.has('norm.weight') || !body.has('bn1.weight')
    const stem = this.#stem(preactivation)
    const layers = this.#layers()
    const block = body.has('layer1.0.conv3.weight') ? 'bottleneck' : 'basic'
    const widths = this.#widths(layers, block)
    const shortcut = this.#blocks(layers, block, preactivation)
    if (preactivation) this.#norm('norm')
    const features = (widths.planes.at(-1) as number) * expansion(block)
    const head = recognizeHead(this.#located, this.#shapes, features)
    for (const [name, stored] of head.names) this.#tensors.set(name, stored === undefined ? 'zeros' : { stored })
    this.#assertNothingInTheWay()

    const stemWidth = stem.convs.at(-1)?.out
    const needsShortcut = layers.length > 1 || stemWidth !== (widths.planes[0] as number) * expansion(block)
    const isDoubling = widths.planes.every((planes, stage) => planes === (widths.planes[0] as number) * 2 ** stage)
    const architecture: ArchitectureJson = {
      block,
      layers,
      ...(isDoubling ? { width: widths.planes[0] as number } : { planes: widths.planes }),
      ...(widths.baseWidth === 64 ? {} : { base_width: widths.baseWidth }),
      in_channels: stem.inChannels,
      stem: { convs: stem.convs, max_pool: stem.maxPool },
      shortcut: this.#shortcutOf(shortcut, stem.convs.length, preactivation),
      ...(preactivation ? { preactivation } : {}),
      ...headOf(head),
    }
    return {
      prefix,
      dialect,
      architecture,
      choices: openChoices(architecture, shortcut === 'none' && needsShortcut),
      tensors: this.#tensors,
      leftOver: rest,
    }
  }

  /** The convolutions before the first stage. Strides and the max-pool are the usual ones for the kernel. */
  #stem(preactivation: boolean) {
    const isDeep = this.#located.body.has('conv1.0.weight')
    const names = isDeep ? this.#deepStem() : ['conv1']
    const norms = names.map((_, i) => (i === names.length - 1 ? 'bn1' : `conv1.${3 * i + 1}`))
    const shapes = names.map((name) => this.#shape(`${name}.weight`, 4))
    const isLarge = isDeep || (shapes[0]?.[2] ?? 0) > 3
    for (const [i, name] of names.entries()) {
      const hasNorm = !(preactivation && i === names.length - 1)
      this.#conv(name, hasNorm ? norms[i] : undefined)
    }
    return {
      inChannels: shapes[0]?.[1] as number,
      convs: shapes.map(([out, , kernel], i) => ({
        out: out as number,
        // Any other number is refused when the architecture is parsed.
        kernel: kernel as Kernel,
        stride: isLarge && i === 0 ? 2 : 1,
      })),
      maxPool: isLarge,
    }
  }

  /** conv, norm, activation, conv, norm, activation, ..., conv. */
  #deepStem(): string[] {
    const names: string[] = []
    while (this.#located.body.has(`conv1.${3 * names.length}.weight`)) names.push(`conv1.${3 * names.length}`)
    return names
  }

  /** Blocks per stage. */
  #layers(): number[] {
    const layers: number[] = []
    for (const name of this.#located.body.keys()) {
      const [, stage, block] = /^layer(\d+)\.(\d+)\./.exec(name) ?? []
      if (stage === undefined || block === undefined) continue
      const index = Number(stage) - 1
      layers[index] = Math.max(layers[index] ?? 0, Number(block) + 1)
    }
    return Array.from(layers, (blocks, stage) => {
      if (blocks === undefined) throw new Error(`there is no layer${stage + 1}, and there is one after it`)
      return blocks
    })
  }

  /** Planes of each stage, and how wide a bottleneck is inside, for 64 planes. */
  #widths(layers: number[], block: 'basic' | 'bottleneck') {
    const inner = layers.map((_, stage) => this.#shape(`layer${stage + 1}.0.conv1.weight`, 4)[0] as number)
    if (block === 'basic') return { planes: inner, baseWidth: 64 }
    const planes = layers.map((_, stage) => {
      const name = `layer${stage + 1}.0.conv3.weight`
      const out = this.#shape(name, 4)[0] as number
      const planes = out / expansion(block)
      if (!Number.isInteger(planes))
        throw new Error(`${this.#stored(name)}: a bottleneck has a multiple of 4 outputs, not ${out}`)
      return planes
    })
    const baseWidth = Math.round((64 * (inner[0] as number)) / (planes[0] as number))
    const isSame = inner.every((width, stage) => width === innerWidth(planes[stage] as number, baseWidth))
    if (!isSame) throw new Error(`the bottlenecks are ${inner} wide for ${planes} planes: no base width gives these`)
    return { planes, baseWidth }
  }

  /** Takes the tensors of every block; the shortcuts that they have. */
  #blocks(layers: number[], block: 'basic' | 'bottleneck', preactivation: boolean): 'none' | 'first' | 'second' {
    let shortcut: 'none' | 'first' | 'second' = 'none'
    const convs = block === 'basic' ? [1, 2] : [1, 2, 3]
    for (const [stage, blocks] of layers.entries()) {
      for (let index = 0; index < blocks; index++) {
        const name = `layer${stage + 1}.${index}`
        for (const i of convs) {
          this.#assertUngrouped(`${name}.conv${i}.weight`)
          if (preactivation) {
            this.#norm(`${name}.bn${i}`)
            this.#conv(`${name}.conv${i}`, undefined)
          } else this.#conv(`${name}.conv${i}`, `${name}.bn${i}`)
        }
        // An average pool before the projection moves it from the first place to the second.
        const place = [0, 1].find(
          (i) => this.#located.body.has(`${name}.shortcut.${i}.weight`) && this.#isConv(`${name}.shortcut.${i}.weight`),
        )
        if (place === undefined) continue
        shortcut = place === 0 ? 'first' : 'second'
        const norm = preactivation ? undefined : `${name}.shortcut.${place + 1}`
        this.#conv(`${name}.shortcut.${place}`, norm, `${name}.shortcut.0`, `${name}.shortcut.1`)
      }
    }
    return shortcut
  }

  #shortcutOf(found: 'none' | 'first' | 'second', stemConvs: number, preactivation: boolean) {
    if (found === 'none') return 'zero-pad' as const
    // timm's resnetv2 names the projection alike with and without the pool; those with a deep stem have it.
    const isPooled = found === 'second' || (preactivation && stemConvs > 1)
    return isPooled ? ('pooled-projection' as const) : ('projection' as const)
  }

  #assertUngrouped(name: string): void {
    const match = /^(.*)\.conv(\d)\.weight$/.exec(name)
    const before = `${match?.[1]}.conv${Number(match?.[2]) - 1}.weight`
    if (!this.#located.body.has(before)) return
    const [, inputs] = this.#shape(name, 4)
    const [outputs] = this.#shape(before, 4)
    if (inputs !== outputs) {
      const what =
        (inputs as number) < (outputs as number) ? 'grouped convolutions (ResNeXt), which are not served' : 'no chain'
      throw new Error(`${this.#stored(name)} reads ${inputs} channels of ${outputs}: ${what}`)
    }
  }

  /** Takes a convolution and the batch norm after it, under these or other canonical names. */
  #conv(conv: string, norm: string | undefined, convAs = conv, normAs = norm): void {
    this.#take(`${conv}.weight`, 4, `${convAs}.weight`)
    const bias = this.#located.body.get(`${conv}.bias`)
    if (bias !== undefined) {
      if (norm === undefined)
        throw new Error(`${bias}: a convolution with a bias and no batch norm after it is not served`)
      this.#taken.add(`${conv}.bias`)
    }
    if (norm !== undefined && normAs !== undefined) this.#norm(norm, normAs, bias)
  }

  #norm(norm: string, as = norm, bias?: string): void {
    if (this.#located.body.has(`${norm}.weight`) && !this.#located.body.has(`${norm}.running_mean`)) {
      throw new Error(
        `${this.#stored(`${norm}.weight`)} has no running_mean: it is a GroupNorm, or a batch norm without running statistics; neither is served`,
      )
    }
    for (const kind of ['weight', 'bias', 'running_mean', 'running_var']) {
      this.#take(`${norm}.${kind}`, 1, `${as}.${kind}`, kind === 'running_mean' ? bias : undefined)
    }
  }

  #take(name: string, rank: number, as: string, minus?: string): void {
    this.#shape(name, rank)
    this.#taken.add(name)
    this.#tensors.set(as, { stored: this.#stored(name), ...(minus === undefined ? {} : { minus }) })
  }

  #isConv(name: string): boolean {
    return this.#shapes.get(this.#stored(name))?.shape.length === 4
  }

  #stored(name: string): string {
    return this.#located.body.get(name) ?? `${this.#located.prefix}${name}`
  }

  #shape(name: string, rank: number): readonly number[] {
    const stored = this.#located.body.get(name)
    if (stored === undefined)
      throw new Error(`${this.#located.prefix}${name} is missing (by the names of ${this.#located.dialect})`)
    const { shape } = this.#shapes.get(stored) as { shape: readonly number[] }
    if (shape.length !== rank) throw new Error(`${stored} has shape [${shape}]; ${rank} dimensions are expected`)
    return shape
  }

  /** Tensors inside the stem and the stages that a plain ResNet has no place for. */
  #assertNothingInTheWay(): void {
    const { body, rest, prefix } = this.#located
    const untaken = [...body].flatMap(([name, stored]) => (this.#taken.has(name) ? [] : [stored]))
    const inside = rest.filter((stored) => {
      const own = stored.replaceAll('_orig_mod.', '').slice(prefix.length)
      return (
        stored.replaceAll('_orig_mod.', '').startsWith(prefix) &&
        /^(conv1|bn1|layer\d+|stem|stages|(resnet\.)?(encoder|embedder))\./.test(own)
      )
    })
    const inTheWay = [...untaken, ...inside]
    if (inTheWay.length > 0) {
      throw new Error(
        `${inTheWay[0]} has no place in a plain ResNet${inTheWay.length > 1 ? `, nor have ${inTheWay.length - 1} others` : ''}`,
      )
    }
  }
}

function headOf({ pool, hiddenSizes, embeddingSize, numClasses }: RecognizedHead): Partial<ArchitectureJson> {
  return {
    pool,
    ...(hiddenSizes.length > 0 ? { hidden_sizes: hiddenSizes } : {}),
    ...(embeddingSize === undefined ? {} : { embedding_size: embeddingSize }),
    num_classes: numClasses,
  }
}

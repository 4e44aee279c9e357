import type { LocatedResNet, Shapes } from './canonical-names.ts'
import type { RecognizedHead } from './recognize-head.ts'

/** Where a canonical tensor comes from. `minus` is a convolution's bias, which the batch norm after it takes off its mean. */
export type Source = { stored: string; minus?: string | undefined } | 'zeros'

/**
 * The tensors of a located ResNet, and which of them the model takes. Names are canonical (docs/model.md) where nothing else is
 * said. A tensor that is missing or that is not served throws a plain Error with its name as stored.
 */
export class TakenTensors {
  /** What was taken, in the order of the model. */
  readonly sources = new Map<string, Source>()
  readonly #located: LocatedResNet
  readonly #shapes: Shapes
  readonly #taken = new Set<string>()

  constructor(located: LocatedResNet, shapes: Shapes) {
    this.#located = located
    this.#shapes = shapes
  }

  /** Takes a convolution and the batch norm after it, under these or other canonical names. */
  takeConv(conv: string, norm: string | undefined, convAs = conv, normAs = norm): void {
    this.#take(`${conv}.weight`, 4, `${convAs}.weight`)
    const bias = this.#located.body.get(`${conv}.bias`)
    if (bias !== undefined) {
      if (norm === undefined)
        throw new Error(`${bias}: a convolution with a bias and no batch norm after it is not served`)
      this.#taken.add(`${conv}.bias`)
    }
    if (norm !== undefined && normAs !== undefined) this.takeNorm(norm, normAs, bias)
  }

  /** Takes a batch norm. `bias`, as stored, is that of the convolution before it. */
  takeNorm(norm: string, as = norm, bias?: string): void {
    if (this.#located.body.has(`${norm}.weight`) && !this.#located.body.has(`${norm}.running_mean`)) {
      throw new Error(
        `${this.stored(`${norm}.weight`)} has no running_mean: it is a GroupNorm, or a batch norm without running statistics; neither is served`,
      )
    }
    for (const kind of ['weight', 'bias', 'running_mean', 'running_var']) {
      this.#take(`${norm}.${kind}`, 1, `${as}.${kind}`, kind === 'running_mean' ? bias : undefined)
    }
  }

  /** Whether it is there and a convolution's weight: a batch norm has a `weight` too. */
  isConv(name: string): boolean {
    const stored = this.#located.body.get(name)
    return stored !== undefined && this.#shapes.get(stored)?.shape.length === 4
  }

  /** The name as stored, which a tensor that is missing would have too. */
  stored(name: string): string {
    return this.#located.body.get(name) ?? `${this.#located.prefix}${name}`
  }

  /** The shape, which must have `rank` dimensions. Takes nothing. */
  shape(name: string, rank: number): readonly number[] {
    const stored = this.#located.body.get(name)
    if (stored === undefined)
      throw new Error(`${this.#located.prefix}${name} is missing (by the names of ${this.#located.dialect})`)
    const { shape } = this.#shapes.get(stored) as { shape: readonly number[] }
    if (shape.length !== rank) throw new Error(`${stored} has shape [${shape}]; ${rank} dimensions are expected`)
    return shape
  }

  /** Takes the layers of a classifier as `recognizeHead` found them. */
  takeHead(names: RecognizedHead['names']): void {
    for (const [name, stored] of names) this.sources.set(name, stored === undefined ? 'zeros' : { stored })
  }

  /** Throws where tensors inside the stem and the stages have no place in a plain ResNet. */
  assertNothingInTheWay(): void {
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

  #take(name: string, rank: number, as: string, minus?: string): void {
    this.shape(name, rank)
    this.#taken.add(name)
    this.sources.set(as, { stored: this.stored(name), ...(minus === undefined ? {} : { minus }) })
  }
}

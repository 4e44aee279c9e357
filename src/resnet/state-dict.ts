/** Row-major float32, whatever the precision on disk. */
export interface Tensor {
  shape: number[]
  data: Float32Array
}

/**
 * What wrappers put before the names of what they wrap: DataParallel and the AveragedModel of stochastic weight averaging
 * `module.`, torch.compile `_orig_mod.`, each in any order, and torch.compile also further down, where a part was compiled.
 */
const WRAPPERS = /^(?:(?:module|_orig_mod)\.)+|(?<=\.)_orig_mod\./g

/** Whether a tensor counts something in training and is no weight: its type may then be any. */
export function isCounter(stored: string): boolean {
  const name = stored.replace(WRAPPERS, '')
  return name === 'n_averaged' || /(^|\.)num_batches_tracked$/.test(name)
}

/** Tensors under their canonical PyTorch names. */
export class StateDict {
  readonly #tensors = new Map<string, Tensor>()
  readonly #unread: Set<string>

  /**
   * Renames to canonical names: without the prefixes of wrappers, and `shortcut` for `downsample` (torchvision). Drops
   * counters. Throws when two names become the same.
   */
  constructor(tensors: Iterable<[string, Tensor]>) {
    for (const [stored, tensor] of tensors) {
      if (isCounter(stored)) continue
      const name = stored.replace(WRAPPERS, '').replace(/\.downsample\.(?=[01]\.)/, '.shortcut.')
      if (this.#tensors.has(name)) throw new Error(`weights: two tensors are called ${name}`)
      this.#tensors.set(name, tensor)
    }
    this.#unread = new Set(this.#tensors.keys())
  }

  /** The values of `name`. Throws when it is missing or has another shape. */
  take(name: string, shape: number[]): Float32Array {
    const tensor = this.#tensors.get(name)
    if (tensor === undefined) throw new Error(`weights: ${name} is missing`)
    if (tensor.shape.length !== shape.length || tensor.shape.some((size, axis) => size !== shape[axis])) {
      throw new Error(`weights: ${name} has shape [${tensor.shape}], the architecture needs [${shape}]`)
    }
    this.#unread.delete(name)
    return tensor.data
  }

  /** Undefined when there is no `name`. */
  shapeOf(name: string): number[] | undefined {
    return this.#tensors.get(name)?.shape
  }

  /** Length of the first axis of `name`. Throws when it is missing. */
  rows(name: string): number {
    const [rows] = this.#tensors.get(name)?.shape ?? []
    if (rows === undefined) throw new Error(`weights: ${name} is missing`)
    return rows
  }

  /** Throws when a tensor was never taken: model.json then describes another architecture than the trained one. */
  assertAllTaken(): void {
    if (this.#unread.size === 0) return
    const [first] = this.#unread
    throw new Error(`weights: ${this.#unread.size} tensors have no place in the architecture, first ${first}`)
  }
}

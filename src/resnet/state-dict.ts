/** Row-major float32, whatever the precision on disk. */
export interface Tensor {
  shape: number[]
  data: Float32Array
}

/** Tensors under their canonical PyTorch names. */
export class StateDict {
  readonly #tensors = new Map<string, Tensor>()
  readonly #unread: Set<string>

  /**
   * Renames to canonical names: without `module.` (DataParallel), and `shortcut` for `downsample` (torchvision).
   * Drops `num_batches_tracked`. Throws when two names become the same.
   */
  constructor(tensors: Iterable<[string, Tensor]>) {
    for (const [stored, tensor] of tensors) {
      if (stored.endsWith('.num_batches_tracked')) continue
      const name = stored.replace(/^module\./, '').replace(/\.downsample\.(?=[01]\.)/, '.shortcut.')
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

import { countValues } from '../../src/resnet/graph.ts'
import { StateDict } from '../../src/resnet/state-dict.ts'

/** Has every tensor asked for: small distinct values, or those given by name. Remembers what was asked. */
export class AnyWeights extends StateDict {
  readonly taken = new Map<string, number[]>()
  readonly #given: Record<string, number[]>

  constructor(given: Record<string, number[]> = {}) {
    super([])
    this.#given = given
  }

  override take(name: string, shape: number[]): Float32Array {
    this.taken.set(name, shape)
    const length = countValues(shape)
    return Float32Array.from(this.#given[name] ?? Array.from({ length }, (_, i) => ((i % 7) + 1) / 10))
  }
}

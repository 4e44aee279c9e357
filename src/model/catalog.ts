import { ServeError } from '../errors.ts'
import { compareVersions } from '../repository/repository.ts'
import type { Model } from './model.ts'

/** The models being served, by name and version. Names from requests are looked up here and go nowhere else. */
export class ModelCatalog {
  readonly #models = new Map<string, Map<string, Model>>()
  readonly #defaultName: string | undefined
  readonly #defaultVersions: ReadonlyMap<string, string>

  /**
   * `defaultName` answers requests that name no model; without it the first name in alphabetical order does.
   * `defaultVersions` answer those that name no version, by model; without one the highest does.
   */
  constructor(defaultName?: string, defaultVersions: ReadonlyMap<string, string> = new Map()) {
    this.#defaultName = defaultName
    this.#defaultVersions = defaultVersions
  }

  /** Takes the place of a model of the same name and version. */
  add(model: Model): void {
    const { name, version } = model.manifest
    const versions = this.#models.get(name) ?? new Map<string, Model>()
    this.#models.set(name, versions.set(version, model))
  }

  remove(name: string, version: string): void {
    const versions = this.#models.get(name)
    versions?.delete(version)
    if (versions?.size === 0) this.#models.delete(name)
  }

  /** The model asked for, in its default version unless one is named. Throws `model_not_found`. */
  get(name: string | undefined, version: string | undefined): Model {
    const chosen = name ?? this.defaultName ?? ''
    const versions = this.#models.get(chosen)
    if (versions === undefined) throw new ServeError('model_not_found', `no model ${name ?? 'is loaded'}`)
    const wanted = version ?? this.#defaultVersions.get(chosen) ?? highest(versions)
    const model = versions.get(wanted)
    if (model === undefined) throw new ServeError('model_not_found', `model ${chosen} has no version ${wanted}`)
    return model
  }

  get defaultName(): string | undefined {
    return this.#defaultName ?? [...this.#models.keys()].sort()[0]
  }

  /** In ascending order; empty where there is no such model. */
  versionsOf(name: string): string[] {
    return [...(this.#models.get(name)?.keys() ?? [])].sort(compareVersions)
  }

  list(): Model[] {
    return [...this.#models.values()].flatMap((versions) => [...versions.values()])
  }
}

function highest(versions: Map<string, Model>): string {
  return [...versions.keys()].sort(compareVersions).at(-1) ?? ''
}

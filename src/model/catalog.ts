import { ServeError } from '../errors.ts'
import { compareVersions } from '../repository/repository.ts'
import type { Model } from './model.ts'

/** The models being served, by name and version. Names from requests are looked up here and go nowhere else. */
export class ModelCatalog {
  readonly #models = new Map<string, Map<string, Model>>()
  readonly #defaultName: string | undefined

  /** `defaultName` answers requests that name no model; without it the first name in alphabetical order does. */
  constructor(defaultName?: string) {
    this.#defaultName = defaultName
  }

  add(model: Model): void {
    const { name, version } = model.manifest
    const versions = this.#models.get(name) ?? new Map<string, Model>()
    this.#models.set(name, versions.set(version, model))
  }

  /** The model asked for, in its highest version unless one is named. Throws `model_not_found`. */
  get(name: string | undefined, version: string | undefined): Model {
    const chosen = name ?? this.defaultName ?? ''
    const versions = this.#models.get(chosen)
    if (versions === undefined) throw new ServeError('model_not_found', `no model ${name ?? 'is loaded'}`)
    const model = versions.get(version ?? this.#highest(versions))
    if (model === undefined) throw new ServeError('model_not_found', `model ${chosen} has no version ${version}`)
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

  #highest(versions: Map<string, Model>): string {
    return [...versions.keys()].sort(compareVersions).at(-1) ?? ''
  }
}

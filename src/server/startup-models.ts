import type { FoundVersion } from '../repository/repository.ts'
import type { Config, NameAndVersion } from './config.ts'

type Wishes = Pick<Config, 'MODEL_REPOSITORY' | 'LOAD_MODELS' | 'DEFAULT_MODEL' | 'DEFAULT_VERSIONS' | 'STRICT_STARTUP'>

/** Whether LOAD_MODELS names the version. */
export function isChosen({ LOAD_MODELS }: Pick<Config, 'LOAD_MODELS'>, { name, version }: NameAndVersion): boolean {
  const names = (wish: NameAndVersion): boolean => wish.name === name && (wish.version ?? version) === version
  return LOAD_MODELS.length === 0 || LOAD_MODELS.some(names)
}

/**
 * The versions to load at the start. Throws a plain Error if the repository has not what the options name, or has a broken
 * one among them; with `STRICT_STARTUP=false`, says so to `warn` instead.
 */
export function startupModels(
  config: Wishes,
  found: readonly FoundVersion[],
  warn: (message: string) => void,
): FoundVersion[] {
  const { MODEL_REPOSITORY, LOAD_MODELS, DEFAULT_MODEL, DEFAULT_VERSIONS, STRICT_STARTUP } = config
  const chosen = found.filter((each) => isChosen(config, each))
  const has = (wish: NameAndVersion): boolean =>
    chosen.some(({ name, version }) => wish.name === name && (wish.version ?? version) === version)
  const missing = (option: string, { name, version }: NameAndVersion): string[] =>
    has({ name, version })
      ? []
      : [`${option} is ${version ? `${name}:${version}` : name}, which is not in ${MODEL_REPOSITORY}`]

  const problems = [
    ...(found.length === 0 ? [`no <name>/<version>/model.json under ${MODEL_REPOSITORY}`] : []),
    ...chosen.flatMap(({ entry }) => (entry instanceof Error ? [entry.message] : [])),
    ...LOAD_MODELS.flatMap((wish) => missing('LOAD_MODELS', wish)),
    ...(DEFAULT_MODEL === undefined ? [] : missing('DEFAULT_MODEL', { name: DEFAULT_MODEL })),
    ...[...DEFAULT_VERSIONS].flatMap(([name, version]) => missing('DEFAULT_VERSIONS', { name, version })),
  ]
  if (STRICT_STARTUP && problems.length > 0) throw new Error(problems[0])
  for (const problem of problems) warn(problem)
  return chosen
}

import { execFileSync } from 'node:child_process'
import { resolve } from 'node:path'
import { deployed, type ServerCommand } from '../server-process.ts'

/** A checkout of the server with settings of its own. */
export interface Side {
  /** As it was asked for. */
  name: string
  checkout: string
  settings: Record<string, string>
}

/** "<folder> NAME=value ...", of which each part may be left out: this checkout, the settings of the environment. */
export function parseSide(text: string): Side {
  const words = text.split(/\s+/).filter((word) => word !== '')
  const isSetting = (word: string): boolean => /^[A-Z][A-Z0-9_]*=/.test(word)
  const [checkout = resolve(import.meta.dirname, '../..'), second] = words.filter((word) => !isSetting(word))
  if (second !== undefined) throw new Error(`"${text}": ${second} is neither a setting nor the only folder`)
  const settings = words.filter(isSetting).map((word) => word.split(/=(.*)/s, 2))
  return { name: text.trim() || '.', checkout: resolve(checkout), settings: Object.fromEntries(settings) }
}

/** Builds what is not built. The server sees `env` with the settings of the side. */
export function prepare({ checkout, settings }: Side, env: NodeJS.ProcessEnv) {
  execFileSync(process.execPath, ['scripts/build.mjs', '--if-stale'], { cwd: checkout, stdio: ['ignore', 2, 2] })
  const command: ServerCommand = deployed(checkout)
  return { command, env: { ...env, ...settings } }
}

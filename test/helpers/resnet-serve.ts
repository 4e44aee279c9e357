import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { builtPath } from './built.ts'
import { smallFixture } from './parity-fixtures.ts'
import { temporaryFolder } from './temporary-folder.ts'

const ROOT = resolve(import.meta.dirname, '../..')

/** `resnet-serve` where no TensorFlow is installed and the small model is the only one. */
export function resnetServe(args: string[], env: Record<string, string> = {}) {
  const { directory, manifest } = smallFixture().entry
  const repository = temporaryFolder()
  mkdirSync(join(repository, manifest.name))
  cpSync(directory, join(repository, manifest.name, manifest.version), { recursive: true })
  return spawnSync(process.execPath, [builtPath('cli/main.ts'), ...args], {
    cwd: ROOT,
    encoding: 'utf8',
    env: { ...process.env, MODEL_REPOSITORY: repository, TENSORFLOW_DIR: join(repository, '.none'), ...env },
  })
}

// Compiles src/ to dist/. With --if-stale it compiles only if a source is newer than the last build. A container ships
// dist/ without sources: there it does nothing, so `npm start` works everywhere.
import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const stamp = join(root, 'dist', '.built')

function newestSource() {
  const files = ['package-lock.json', 'tsconfig.json', 'tsconfig.build.json'].map((name) => join(root, name))
  for (const entry of readdirSync(join(root, 'src'), { recursive: true })) files.push(join(root, 'src', entry))
  return Math.max(...files.map((file) => statSync(file).mtimeMs))
}

if (process.argv.includes('--if-stale')) {
  if (!existsSync(join(root, 'src'))) process.exit(0)
  if (existsSync(stamp) && statSync(stamp).mtimeMs >= newestSource()) process.exit(0)
}
rmSync(join(root, 'dist'), { recursive: true, force: true })
const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc')
const { status } = spawnSync(process.execPath, [tsc, '-p', join(root, 'tsconfig.build.json')], { stdio: 'inherit' })
// What the compiler leaves out: the packages that `install-tensorflow` pins.
const pinned = join('cli', 'tensorflow', 'addon-package')
cpSync(join(root, 'src', pinned), join(root, 'dist', pinned), { recursive: true })
if (status === 0) writeFileSync(stamp, '')
process.exit(status ?? 1)

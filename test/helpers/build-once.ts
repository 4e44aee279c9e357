import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { TestProject } from 'vitest/node'

const SCRIPT = fileURLToPath(new URL('../../scripts/build.mjs', import.meta.url))

/** Compiles src/ to dist/ where a source has changed, before any test runs: processes are started from there. */
export default function setup(project: TestProject): void {
  build()
  project.onTestsRerun(build)
}

function build(): void {
  const { status } = spawnSync(process.execPath, [SCRIPT, '--if-stale'], { stdio: 'inherit' })
  // What has a wrong type is emitted all the same, and is no reason to run no test; `npm run types` is its own check.
  if (status !== 0) console.error('src/ has errors: see above')
}

import { readFileSync } from 'node:fs'
import { minVersion, Range, satisfies } from 'semver'
import { describe, expect, it } from 'vitest'

interface LockedPackage {
  version?: string
  engines?: { node?: string }
  dev?: boolean
  optional?: boolean
  hasInstallScript?: boolean
}

const { packages } = JSON.parse(readFileSync(new URL('../package-lock.json', import.meta.url), 'utf8')) as {
  packages: Record<string, LockedPackage>
}
const { '': project, ...installed } = packages
const production = Object.entries(installed).filter(([, { dev, optional }]) => !dev && !optional)

/** The oldest version of each line of Node that package.json allows. */
const OLDEST = new Range(project?.engines?.node ?? '').set.map((line) =>
  String(minVersion(line.map(({ value }) => value).join(' '))),
)

describe('the packages', () => {
  it.each(OLDEST)('are all made for Node %s, so that npm ci has nothing to warn of', (node) => {
    const others = production.filter(([, { engines }]) => engines?.node && !satisfies(node, engines.node))
    expect(others.map(([name, { engines }]) => `${name} needs ${engines?.node}`)).toEqual([])
  })

  // npm 10 runs what the lockfile marks, and npm 11 what `allowScripts` lets it. `npm update` may bring the mark back:
  // take `"hasInstallScript": true` out of the entry again.
  it('leave out the install script of onnxruntime-node, which would download CUDA', () => {
    const { hasInstallScript, version } = installed['node_modules/onnxruntime-node'] ?? {}
    expect(version).toBeDefined()
    expect(hasInstallScript).toBeUndefined()
  })
})

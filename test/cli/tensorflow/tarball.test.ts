import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { create } from 'tar'
import { describe, expect, it } from 'vitest'
import type { Progress } from '../../../src/cli/tensorflow/progress.ts'
import { unpackTarball } from '../../../src/cli/tensorflow/tarball.ts'
import { temporaryFolder } from '../../helpers/temporary-folder.ts'

const silent: Progress = { interactive: false, step() {}, bytes: () => ({ add() {}, end() {} }) }

/** A tarball of these files, and a folder to unpack it to. */
async function setUp(files: Record<string, string>) {
  const path = join(temporaryFolder(), 'libtensorflow.tar.gz')
  await create({ file: path, gzip: true, cwd: temporaryFolder(files) }, ['.'])
  return { path, deps: join(temporaryFolder(), 'deps') }
}

describe('unpackTarball', () => {
  it.each([1, 2, 300])('has written and closed every one of %d files when it returns', async (count) => {
    const names = Array.from({ length: count }, (_, i) => `include/${i}.h`)
    const { path, deps } = await setUp(Object.fromEntries(names.map((name) => [name, `// ${name}`])))
    await unpackTarball(path, deps, silent)
    // Read in one go: nothing that is still to be written gets a chance to be.
    expect(names.map((name) => readFileSync(join(deps, name), 'utf8'))).toEqual(names.map((name) => `// ${name}`))
  })

  it('takes lib/ and include/ and nothing beside them', async () => {
    const { path, deps } = await setUp({ 'lib/a.so': 'a', 'include/a.h': 'a', LICENSE: 'text', 'bin/lib/b': 'b' })
    await unpackTarball(path, deps, silent)
    expect(readFileSync(join(deps, 'lib/a.so'), 'utf8')).toBe('a')
    expect(() => readFileSync(join(deps, 'LICENSE'))).toThrow('ENOENT')
    expect(() => readFileSync(join(deps, 'bin/lib/b'))).toThrow('ENOENT')
  })

  it('says that a tarball is none, or only half of one', async () => {
    const { path, deps } = await setUp({ 'lib/a.so': 'a'.repeat(1000), 'lib/b.so': 'b' })
    const bytes = readFileSync(path)
    for (const broken of ['not a tarball', bytes.subarray(0, bytes.length / 2), '']) {
      writeFileSync(path, broken)
      await expect(unpackTarball(path, deps, silent)).rejects.toThrow(/libtensorflow\.tar\.gz cannot be unpacked: /)
    }
  })
})

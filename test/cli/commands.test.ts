import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import { smallFixture } from '../model/parity-fixtures.ts'
import { temporaryFolder } from '../model/temporary-folder.ts'

const ROOT = resolve(import.meta.dirname, '../..')

/** `resnet-serve`, run from source, where no TensorFlow is installed and the small model is the only one. */
function resnetServe(args: string[], env: Record<string, string> = {}) {
  const { directory, manifest } = smallFixture().entry
  const repository = temporaryFolder()
  mkdirSync(join(repository, manifest.name))
  cpSync(directory, join(repository, manifest.name, manifest.version), { recursive: true })
  return spawnSync(process.execPath, ['--import', 'tsx', join(ROOT, 'src/cli/main.ts'), ...args], {
    cwd: ROOT,
    encoding: 'utf8',
    env: { ...process.env, MODEL_REPOSITORY: repository, TENSORFLOW_DIR: join(repository, '.none'), ...env },
  })
}

describe('resnet-serve install-tensorflow', () => {
  it.each([
    ['an unknown source', ['--from', 'floppy'], /--from <source>.*Allowed choices are wheel, tarball, dir/],
    ['a folder that is not named', ['--from', 'dir'], /--from dir needs --path/],
  ])('refuses %s in one line', (_name, args, message) => {
    const { status, stderr } = resnetServe(['install-tensorflow', ...args])
    expect(status).toBe(1)
    expect(stderr).toMatch(message)
    expect(stderr.trim().split('\n')).toHaveLength(1)
  })
})

describe('resnet-serve doctor', () => {
  it('reports in JSON, and fails when the engine asked for does not work', () => {
    const { status, stdout } = resnetServe(['doctor', '--json', '--engine', 'wasm'], { PRECISION: 'int8' })
    expect(status).toBe(1)
    const report = JSON.parse(stdout) as { engines: object[]; machine: object; gpu: object; native: object }
    expect(report.engines).toEqual([{ engine: 'wasm', works: false, error: 'PRECISION=int8: wasm computes in fp32' }])
    expect(report.machine).toMatchObject({ node: process.version })
  })

  it('reports as text, and succeeds when it works', () => {
    const { status, stdout } = resnetServe(['doctor', '--engine', 'onnx'])
    expect(status).toBe(0)
    expect(stdout).toMatch(/^ {2}onnx {8}onnxruntime-node .*fp32$/m)
    expect(stdout).toMatch(/images\/s: \d+ at batch 1, \d+ at batch 8, \d+ at batch 32/)
  })
})

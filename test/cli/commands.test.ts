import { describe, expect, it } from 'vitest'
import { resnetServe } from '../helpers/resnet-serve.ts'

describe('resnet-serve install-tensorflow', () => {
  it.each([
    ['an unknown source', ['--from', 'floppy'], 2, /--from <source>.*Allowed choices are wheel, tarball, dir/],
    ['a folder that is not named', ['--from', 'dir'], 1, /--from dir needs --path/],
  ])('refuses %s in one line', (_name, args, code, message) => {
    const { status, stderr } = resnetServe(['install-tensorflow', ...args])
    expect(status).toBe(code)
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
})

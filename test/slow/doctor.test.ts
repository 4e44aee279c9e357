import { describe, expect, it } from 'vitest'
import { resnetServe } from '../helpers/resnet-serve.ts'

describe('resnet-serve doctor', () => {
  it('reports as text, and succeeds when it works', () => {
    const { status, stdout } = resnetServe(['doctor', '--engine', 'onnx'])
    expect(status).toBe(0)
    expect(stdout).toMatch(/^ {2}onnx {8}onnxruntime-node .*fp32$/m)
    expect(stdout).toMatch(/images\/s: \d+ at batch 1, \d+ at batch 8, \d+ at batch 32/)
  })
})

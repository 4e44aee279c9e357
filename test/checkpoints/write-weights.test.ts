import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { writeWeights } from '../../src/checkpoints/write-weights.ts'
import { readSafetensors } from '../../src/repository/safetensors.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'

const tensor = (name: string, values: number[]) => ({
  name,
  shape: [values.length],
  read: () => Float32Array.from(values),
})

describe('writeWeights', () => {
  it.each(['fp32', 'fp16'] as const)('writes in %s what the server reads, and says its sha256', (dtype) => {
    const path = join(temporaryFolder(), 'weights')
    const sha256 = writeWeights(path, [tensor('a', [1, -2.5]), tensor('b', [0.125])], dtype)
    const weights = readSafetensors(readFileSync(path))
    expect([...weights.take('a', [2]), ...weights.take('b', [1])]).toEqual([1, -2.5, 0.125])
    expect(sha256).toBe(createHash('sha256').update(readFileSync(path)).digest('hex'))
  })

  it.each([
    ['not a number', [1, Number.NaN], 'fp32', /a holds NaN/],
    ['infinite', [Number.POSITIVE_INFINITY], 'fp32', /a holds Infinity/],
    ['too large for half precision', [70_000], 'fp16', /too large for fp16: use --weights-dtype fp32/],
  ] as const)('names a tensor whose values are %s', (_, values, dtype, message) => {
    expect(() => writeWeights(join(temporaryFolder(), 'weights'), [tensor('a', [...values])], dtype)).toThrow(message)
  })
})

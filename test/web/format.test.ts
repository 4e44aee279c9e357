import { expect, it } from 'vitest'
import { formatMs, formatProbability } from '../../web/src/format.ts'

it.each([
  [0.5, 'softmax', '50.00 %'],
  [0.99994, 'softmax', '99.99 %'],
  [0.99999, 'softmax', '> 99.99 %'],
  [1, 'sigmoid', '> 99.99 %'],
  [1e-9, 'softmax', '< 0.01 %'],
  [-2.98765, 'none', '-2.99'],
] as const)('prints %f of %s as %s', (value, activation, text) => {
  expect(formatProbability(value, activation)).toBe(text)
})

it('prints tenths of a millisecond where they matter', () => {
  expect([0.06, 9.94, 12.6].map(formatMs)).toEqual(['0.1 ms', '9.9 ms', '13 ms'])
})

import { expect, it } from 'vitest'
import { concatenate } from '../../src/engines/concatenate.ts'

it('lays arrays of any lengths end to end', () => {
  expect(concatenate([Float32Array.of(1, 2), Float32Array.of(), Float32Array.of(3)])).toEqual(Float32Array.of(1, 2, 3))
  expect(concatenate([])).toEqual(new Float32Array())
})

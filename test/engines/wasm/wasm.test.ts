import type { BackendWasm } from '@tensorflow/tfjs-backend-wasm'
import * as tf from '@tensorflow/tfjs-core'
import { expect, it } from 'vitest'
import { boundByMemory } from '../../../src/engines/memory-bounded-graph.ts'
import { openEngine } from '../../../src/engines/open.ts'
import { loadGraph } from '../../../src/repository/load-graph.ts'
import { FIXTURE_BATCH, readParityFixture, relativeDifference } from '../../helpers/parity-fixtures.ts'

/** What it allocates with, where there is no room for more than so many bytes at once. */
function limitMemory(most: () => number): void {
  const { wasm } = tf.backend() as BackendWasm
  const module = wasm as typeof wasm & { _malloc: (bytes: number) => number; _free: (address: number) => void }
  // The library replaces the function when it is first called.
  const allocate = module._malloc
  module._free(allocate(1))
  const replaced = module._malloc
  module._malloc = (bytes) => (bytes > most() ? 0 : replaced(bytes))
}

it('wasm says when its memory is full, and then answers the batch in halves', async () => {
  let most = Number.POSITIVE_INFINITY
  const { engine } = await openEngine('wasm', { threads: 1, precision: 'fp32', tensorflowDir: '' })
  limitMemory(() => most)
  const { entry, input, expected } = readParityFixture('torchvision-basic')
  const compiled = await engine.compile(loadGraph(entry))
  const shrunk: number[] = []
  const bounded = boundByMemory(compiled, (size) => shrunk.push(size))
  const batch = { input, batchSize: FIXTURE_BATCH }
  const tensors = tf.memory().numTensors

  most = (input.byteLength / FIXTURE_BATCH) * 2
  await expect(compiled.run(batch)).rejects.toThrow('out of memory')
  const { embedding } = await bounded.run(batch)
  expect(shrunk).toEqual([2])
  expect(relativeDifference(embedding, expected.embedding)).toBeLessThan(1e-3)
  expect(tf.memory().numTensors).toBe(tensors)
})

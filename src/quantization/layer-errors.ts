import type { OnnxSession } from '../engines/onnx/sessions.ts'
import type { SampleSet } from './sample-set.ts'

/**
 * The relative error of each value when everything before it is in int8 too: |int8 - fp32| / |fp32|, L2 norms over all
 * samples. Both sessions must return `names`.
 */
export async function layerErrors(
  fp32: OnnxSession,
  int8: OnnxSession,
  names: string[],
  samples: SampleSet,
  batchSize: number,
): Promise<Record<string, number>> {
  const sums = new Map(names.map((name) => [name, { difference: 0, value: 0 }]))
  for await (const { input, size } of samples.batches(batchSize)) {
    const expected = await fp32.run(input, size)
    const actual = await int8.run(input, size)
    for (const [name, sum] of sums) addSquares(sum, expected[name] as Float32Array, actual[name] as Float32Array)
  }
  return Object.fromEntries(
    [...sums].map(([name, { difference, value }]) => [name, value === 0 ? 0 : Math.sqrt(difference / value)]),
  )
}

function addSquares(sum: { difference: number; value: number }, expected: Float32Array, actual: Float32Array): void {
  for (let i = 0; i < expected.length; i++) {
    const value = expected[i] as number
    sum.difference += (value - (actual[i] as number)) ** 2
    sum.value += value ** 2
  }
}

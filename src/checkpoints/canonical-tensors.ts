import type { Recognized } from './recognize.ts'
import type { StoredTensor } from './stored-tensor.ts'
import type { NamedTensor } from './write-weights.ts'

/** The model's tensors under their canonical names (docs/model.md), each read from the file when asked. */
export function canonicalTensors(recognized: Recognized, stored: Map<string, StoredTensor>): NamedTensor[] {
  const get = (name: string): StoredTensor => stored.get(name) as StoredTensor
  return [...recognized.tensors].map(([name, source]) => {
    if (source === 'zeros') {
      const weight = recognized.tensors.get(name.replace(/bias$/, 'weight')) as { stored: string }
      const shape = [get(weight.stored).shape[0] as number]
      return { name, shape, read: () => new Float32Array(shape[0] as number) }
    }
    const tensor = get(source.stored)
    // A classifier that is a 1x1 convolution is a linear layer on the pooled vector.
    const shape = name.startsWith('fc') || name.startsWith('linear') ? tensor.shape.slice(0, 2) : tensor.shape
    const { minus } = source
    return { name, shape, read: minus === undefined ? tensor.read : () => difference(tensor.read(), get(minus).read()) }
  })
}

function difference(values: Float32Array, others: Float32Array): Float32Array {
  return values.map((value, i) => value - (others[i] as number))
}

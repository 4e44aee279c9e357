import type { Quantization } from '../repository/quantization.ts'
import { countValues, type Graph, type GraphNode } from '../resnet/graph.ts'
import { Histogram } from './histogram.ts'
import { leastErrorRange } from './ranges.ts'
import { toActivation } from './uint8.ts'

/** The distribution of each value of the graph, by name. */
export type Distributions = Map<string, Histogram>

/** Runs one batch; returns every value of `observedValues`. */
type Observe = (input: Float32Array, batchSize: number) => Promise<Record<string, Float32Array>>

/** Nodes that int8 computes, so that their inputs and outputs need scales. */
function isQuantizable({ op }: GraphNode): boolean {
  return op === 'conv' || op === 'norm' || op === 'add'
}

/** The values to observe in the fp32 graph, besides its input. A pooled or subsampled one keeps the scale of its source. */
export function observedValues({ nodes }: Graph): string[] {
  return nodes.filter(isQuantizable).map(({ name }) => name)
}

/** Bytes of the observed values of one input. */
export function observedBytes({ nodes }: Graph): number {
  return nodes.filter(isQuantizable).reduce((sum, { shape }) => sum + 4 * countValues(shape), 0)
}

/** Adds one batch of the fp32 graph's values. Throws a plain Error on a number that is not finite. */
export async function observeBatch(
  graph: Graph,
  distributions: Distributions,
  observe: Observe,
  input: Float32Array,
  batchSize: number,
): Promise<void> {
  const values = { ...(await observe(input, batchSize)), [graph.input.name]: input }
  for (const name of [graph.input.name, ...observedValues(graph)]) {
    const histogram = distributions.get(name) ?? new Histogram()
    histogram.add(values[name] as Float32Array)
    distributions.set(name, histogram)
  }
}

/** A range for every value. */
export function chooseRanges(distributions: Distributions, fp32: string[] = []): Quantization {
  const activations = [...distributions].map(
    ([name, histogram]) => [name, toActivation(leastErrorRange(histogram))] as const,
  )
  return { activations: Object.fromEntries(activations), fp32 }
}

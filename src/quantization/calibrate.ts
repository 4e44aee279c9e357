import type { Quantization } from '../repository/quantization.ts'
import type { Graph, GraphNode } from '../resnet/graph.ts'
import { Histogram } from './histogram.ts'
import { leastErrorRange } from './ranges.ts'
import { toActivation } from './uint8.ts'

/** How the numbers of each value of the graph are distributed, by name. */
export type Distributions = Map<string, Histogram>

/** Runs one batch; answers with every value asked for at `observedValues`. */
type Observe = (input: Float32Array, batchSize: number) => Promise<Record<string, Float32Array>>

/** Nodes that can be computed in integers, and whose inputs and outputs therefore need scales. */
function isQuantizable(node: GraphNode): boolean {
  return node.op === 'conv' || node.op === 'add'
}

/** What to watch while the fp32 graph runs, beside its input. A subsampled value keeps the scale of its origin. */
export function observedValues({ nodes }: Graph): string[] {
  return nodes.filter(isQuantizable).map(({ name }) => name)
}

/** Bytes of the values that one input leaves behind while it is watched. */
export function observedBytes({ nodes }: Graph): number {
  return nodes
    .filter(isQuantizable)
    .reduce((sum, { shape }) => sum + 4 * shape.reduce((product, size) => product * size, 1), 0)
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

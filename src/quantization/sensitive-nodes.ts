import type { Quantization } from '../repository/quantization.ts'

/** The smallest cosine that a quantization reaches on the search samples. */
type Measure = (quantization: Quantization) => Promise<number>

/**
 * The nodes to keep in fp32, besides those of `quantization`, so that `measure` reaches `target`: none if it does
 * already. Nodes are ordered by what each costs when it alone is in int8, where the noise of others does not hide it.
 * The fewest of the worst that reach the target are kept.
 */
export async function sensitiveNodes(
  nodes: string[],
  quantization: Quantization,
  measure: Measure,
  target: number,
  onProgress: (done: number, total: number) => void = () => {},
): Promise<string[]> {
  const keeping = (names: string[]): Promise<number> =>
    measure({ ...quantization, fp32: [...quantization.fp32, ...names] })
  if ((await keeping([])) >= target) return []
  const alone: { name: string; reached: number }[] = []
  for (const name of nodes) {
    alone.push({ name, reached: await keeping(nodes.filter((other) => other !== name)) })
    onProgress(alone.length, nodes.length)
  }
  const worstFirst = alone.sort((a, b) => a.reached - b.reached).map(({ name }) => name)
  // All of them are enough: that is fp32 itself. Bisection finds the fewest.
  let [tooFew, enough] = [0, nodes.length]
  while (enough - tooFew > 1) {
    const middle = (tooFew + enough) >> 1
    if ((await keeping(worstFirst.slice(0, middle))) >= target) enough = middle
    else tooFew = middle
  }
  return worstFirst.slice(0, enough)
}

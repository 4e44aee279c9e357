import type { Quantization } from '../repository/quantization.ts'

/** The least cosine that a quantization reaches on the samples of the search. */
type Measure = (quantization: Quantization) => Promise<number>

/**
 * The nodes to keep in fp32, beside those that `quantization` keeps there, so that `measure` reaches `target`: none where it does already. Otherwise they are ordered by
 * what each costs when it alone is in int8, since that is not hidden by the noise of the others, and as few of the worst
 * are taken as are enough.
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
  // All of them are enough, for that is fp32 itself; the fewest are found by halving.
  let [tooFew, enough] = [0, nodes.length]
  while (enough - tooFew > 1) {
    const middle = (tooFew + enough) >> 1
    if ((await keeping(worstFirst.slice(0, middle))) >= target) enough = middle
    else tooFew = middle
  }
  return worstFirst.slice(0, enough)
}

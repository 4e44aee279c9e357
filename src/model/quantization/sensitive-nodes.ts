import type { Quantization } from './quantization.ts'

/** The smallest cosine that a quantization reaches on the samples of the search. */
export type Measure = (quantization: Quantization) => Promise<number>

/**
 * The nodes to keep in fp32 so that `measure` reaches `target`: none where it does already, else those whose return to
 * fp32 alone helps most, as few of that order as are enough. `quantization` without its own fp32 nodes is what is searched.
 */
export async function sensitiveNodes(
  nodes: string[],
  quantization: Quantization,
  measure: Measure,
  target: number,
  onProgress: (done: number, total: number) => void = () => {},
): Promise<string[]> {
  const inFp32 = (fp32: string[]): Quantization => ({ ...quantization, fp32 })
  if ((await measure(inFp32([]))) >= target) return []
  const gains: { name: string; reached: number }[] = []
  for (const name of nodes) {
    gains.push({ name, reached: await measure(inFp32([name])) })
    onProgress(gains.length, nodes.length)
  }
  const order = gains.sort((a, b) => b.reached - a.reached).map(({ name }) => name)
  // All of them are enough, for that is fp32 itself; the fewest are found by halving.
  let [tooFew, enough] = [0, order.length]
  while (enough - tooFew > 1) {
    const middle = (tooFew + enough) >> 1
    if ((await measure(inFp32(order.slice(0, middle)))) >= target) enough = middle
    else tooFew = middle
  }
  return order.slice(0, enough)
}

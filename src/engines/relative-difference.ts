/**
 * The largest difference between two `[count, size]` arrays over the largest value of its row. NaN anywhere makes it NaN, which
 * no bound accepts. 0 where there are no values: the logits of a model without a classifier. Throws when the lengths differ.
 */
export function largestRelativeDifference(actual: Float32Array, expected: Float32Array, count: number): number {
  if (actual.length !== expected.length) throw new Error(`${actual.length} values instead of ${expected.length}`)
  if (expected.length === 0) return 0
  const size = expected.length / count
  let largest = 0
  for (let row = 0; row < count; row++) {
    let [difference, peak] = [0, 0]
    for (let i = row * size; i < (row + 1) * size; i++) {
      const value = expected[i] as number
      difference = Math.max(difference, Math.abs(value - (actual[i] as number)))
      peak = Math.max(peak, Math.abs(value))
    }
    largest = Math.max(largest, difference / peak)
  }
  return largest
}

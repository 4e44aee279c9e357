/**
 * Cosine of the angle between two vectors. If both are zero 1, if one is zero 0. NaN if a value is NaN or the lengths
 * differ.
 */
export function cosine(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) return Number.NaN
  let [product, squareA, squareB] = [0, 0, 0]
  for (let i = 0; i < a.length; i++) {
    const [x, y] = [a[i] as number, b[i] as number]
    product += x * y
    squareA += x * x
    squareB += y * y
  }
  if (squareA === 0 || squareB === 0) return squareA === squareB ? 1 : 0
  return product / Math.sqrt(squareA * squareB)
}

/** The cosine of each pair of rows of two `[count, size]` arrays. */
export function rowCosines(a: Float32Array, b: Float32Array, count: number): number[] {
  const size = a.length / count
  return Array.from({ length: count }, (_, row) => {
    const [from, to] = [row * size, (row + 1) * size]
    return cosine(a.subarray(from, to), b.subarray(from, to))
  })
}

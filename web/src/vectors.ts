/** Geometry of embeddings, all of which have the same length. No DOM here. */

/** The vector scaled to length 1; a zero vector stays zero. */
export function unit(vector: Float32Array): Float32Array {
  const length = Math.sqrt(dot(vector, vector))
  return length === 0 ? vector : vector.map((value) => value / length)
}

/** `[n][n]`: the cosine of the angle between each two vectors. */
export function cosines(vectors: Float32Array[]): number[][] {
  const units = vectors.map(unit)
  return units.map((a) => units.map((b) => dot(a, b)))
}

/**
 * `[n][2]`: where each vector lies on the plane that spreads their directions the most: the first two principal components of
 * the vectors scaled to length 1. They come from the n x n products of the centred vectors, of which there are far fewer than
 * dimensions. The first vector lies on the positive side of both axes, so that the picture does not flip as more come.
 */
export function principalPlane(vectors: Float32Array[]): [x: number, y: number][] {
  const products = centredProducts(vectors.map(unit))
  const [x, y] = [takeComponent(products), takeComponent(products)]
  return vectors.map((_, i) => [x[i] as number, y[i] as number])
}

function centredProducts(vectors: Float32Array[]): number[][] {
  const mean = new Float32Array(vectors[0]?.length ?? 0)
  for (const vector of vectors)
    vector.forEach((value, i) => {
      mean[i] = (mean[i] as number) + value / vectors.length
    })
  const centred = vectors.map((vector) => vector.map((value, i) => value - (mean[i] as number)))
  return centred.map((a) => centred.map((b) => dot(a, b)))
}

const ITERATIONS = 200
/** Below this share of the first product's size, what is left is rounding. */
const NOTHING = 1e-9

/** The coordinates along the main axis of the products, by power iteration; what they explain is taken out of `products`. */
function takeComponent(products: number[][]): number[] {
  const n = products.length
  // Any start does that is not perpendicular to the axis; an uneven one is not, but by chance.
  let axis = Array.from({ length: n }, (_, i) => 1 + i / 7 + (i % 3))
  let strength = 0
  for (let i = 0; i < ITERATIONS; i++) {
    const next = products.map((row) => row.reduce((sum, value, j) => sum + value * (axis[j] as number), 0))
    strength = Math.hypot(...next)
    if (strength < NOTHING) return new Array(n).fill(0)
    axis = next.map((value) => value / strength)
  }
  for (const [i, row] of products.entries()) {
    for (const j of row.keys()) row[j] = (row[j] as number) - strength * (axis[i] as number) * (axis[j] as number)
  }
  const sign = (axis[0] as number) < 0 ? -1 : 1
  return axis.map((value) => sign * value * Math.sqrt(strength))
}

function dot(a: Float32Array, b: Float32Array): number {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += (a[i] as number) * (b[i] as number)
  return sum
}

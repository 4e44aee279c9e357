/** How far answers are from the reference, over all rows. */
export interface Agreement {
  /** Largest difference of a value over the largest value of its row, embeddings and logits alike. */
  largest_relative_difference: number
  /** The least cosine of an embedding and its reference. */
  embedding_cosine: number
}

interface Answers {
  logits: Float32Array
  embedding: Float32Array
}

export function compare(actual: Answers, expected: Answers, count: number): Agreement {
  const differences = [relativeDifferences(actual.logits, expected.logits, count)]
  differences.push(relativeDifferences(actual.embedding, expected.embedding, count))
  return {
    largest_relative_difference: Math.max(...differences.flat()),
    embedding_cosine: Math.min(
      ...rows(actual.embedding, count).map((row, i) => cosine(row, rows(expected.embedding, count)[i] ?? row)),
    ),
  }
}

function rows(values: Float32Array, count: number): Float32Array[] {
  const length = values.length / count
  return Array.from({ length: count }, (_, i) => values.subarray(i * length, (i + 1) * length))
}

/** NaN anywhere makes the answer NaN, which no bound accepts. */
function relativeDifferences(actual: Float32Array, expected: Float32Array, count: number): number[] {
  if (actual.length !== expected.length) throw new Error(`${actual.length} values instead of ${expected.length}`)
  const expectedRows = rows(expected, count)
  return rows(actual, count).map((row, i) => {
    const reference = expectedRows[i] ?? row
    let difference = 0
    let peak = 0
    for (const [j, value] of reference.entries()) {
      difference = Math.max(difference, Math.abs(value - (row[j] ?? Number.NaN)))
      peak = Math.max(peak, Math.abs(value))
    }
    return difference / peak
  })
}

function cosine(a: Float32Array, b: Float32Array): number {
  let dot = 0
  let aa = 0
  let bb = 0
  for (const [i, value] of a.entries()) {
    const other = b[i] ?? Number.NaN
    dot += value * other
    aa += value * value
    bb += other * other
  }
  return dot / Math.sqrt(aa * bb)
}

/**
 * PyTorch's AdaptiveAvgPool along one axis as a matrix `[size, bands]`, row-major: band b averages the rows from
 * floor(b * size / bands) up to, but without, ceil((b + 1) * size / bands). Windows overlap where bands does not divide
 * size, and repeat rows where size < bands.
 */
export function adaptivePoolMatrix(size: number, bands: number): Float32Array {
  const matrix = new Float32Array(size * bands)
  for (let band = 0; band < bands; band++) {
    const start = Math.floor((band * size) / bands)
    const end = Math.ceil(((band + 1) * size) / bands)
    for (let row = start; row < end; row++) matrix[row * bands + band] = 1 / (end - start)
  }
  return matrix
}

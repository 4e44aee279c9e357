/** The JSON of a small sound model.json, for tests to spoil. */
export function manifestJson(changes: object = {}): Record<string, unknown> {
  return {
    name: 'digits',
    version: '1',
    architecture: { block: 'basic', layers: [1], width: 1, embedding_size: 3, num_classes: 2 },
    input: { height: 28, width: 28, mean: 0.5, std: 0.25, invert: 'auto', fit: 'ink' },
    weights: { sha256: '0'.repeat(64) },
    ...changes,
  }
}

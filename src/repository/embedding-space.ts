import { hash } from 'node:crypto'

/** Raise it when the server begins to compute other embeddings from the same model.json and weights. */
const REVISION = 1

/** What decides an embedding, with defaults filled in, so that two spellings of the same thing agree. */
export interface EmbeddingDefinition {
  architecture: object
  /** How a picture becomes the model's input. */
  input: object
  weightsSha256: string
}

/**
 * A name for the vector space that a model's embeddings lie in: the first 16 hexadecimal digits of a SHA-256. Embeddings
 * with the same name can be compared, others cannot. The engine and its precision are no part of it: int8 is served only
 * where its embeddings agree with those of fp32.
 *
 * Names are stored with vectors and must not change. A field that is added to a model.json must be left out of the hash
 * where it has the value that older servers took for granted.
 */
export function embeddingSpace({ architecture, input, weightsSha256 }: EmbeddingDefinition): string {
  const canonical = JSON.stringify({ revision: REVISION, architecture, input, weightsSha256 }, withSortedKeys)
  return hash('sha256', canonical, 'hex').slice(0, 16)
}

/** For JSON.stringify: the same text whatever the order of keys. */
function withSortedKeys(_key: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
}

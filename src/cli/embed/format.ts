/** What embeddings are written as; the ending of the file says which. */
export const FORMATS = ['jsonl', 'npy', 'parquet'] as const
export type Format = (typeof FORMATS)[number]

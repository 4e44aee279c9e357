import { type Static, Type } from 'typebox'

const flag = (description: string) => Type.Optional(Type.Enum(['true', 'false'], { description }))

/** Query of /classify and /embed. Values are strings; unknown values are refused. */
export const QuerySchema = Type.Object(
  {
    model: Type.Optional(Type.String({ description: 'Model name; without it, the default model.' })),
    version: Type.Optional(Type.String({ description: 'Model version; without it, the highest.' })),
    top_k: Type.Optional(
      Type.String({
        pattern: '^[1-9][0-9]{0,6}$',
        description: 'Classes in `top`, 5 unless given, capped at the class count.',
      }),
    ),
    include: Type.Optional(
      Type.String({
        pattern: '^(logits|embedding|top|input)(,(logits|embedding|top|input))*$',
        description:
          'Comma list of `logits`, `embedding`, `top`, `input`: what each result holds. `input` is what the model saw.',
      }),
    ),
    normalize: flag('Scale embeddings to length 1 (L2).'),
    encoding_format: Type.Optional(
      Type.Enum(['float', 'base64'], {
        description: 'How embeddings are written: numbers, or base64 of little-endian float32.',
      }),
    ),
    partial: flag('Give a failed input its error in its place, and the others their results.'),
  },
  { additionalProperties: false },
)

export type Part = 'logits' | 'embedding' | 'top' | 'input'

export interface Query {
  topK: number
  include: Set<Part>
  normalize: boolean
  base64: boolean
  partial: boolean
}

export function parseQuery(query: Static<typeof QuerySchema>, defaultInclude: Part[]): Query {
  return {
    topK: Number(query.top_k ?? 5),
    include: new Set(query.include === undefined ? defaultInclude : (query.include.split(',') as Part[])),
    normalize: query.normalize === 'true',
    base64: query.encoding_format === 'base64',
    partial: query.partial === 'true',
  }
}

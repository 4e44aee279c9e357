import { Type } from 'typebox'
import { ERROR_CODES } from '../errors.ts'

/** RFC 9457 problem details with a stable code. */
const ProblemSchema = Type.Object({
  type: Type.String({ description: 'about:blank: the code says it all.' }),
  title: Type.String(),
  status: Type.Integer(),
  detail: Type.String(),
  code: Type.Enum([...ERROR_CODES]),
  request_id: Type.String(),
  index: Type.Optional(Type.Integer({ description: 'Position of the offending input, from 0.' })),
})

/** The schema of every error answer. */
export function problem(description: string): object {
  return { description, content: { 'application/problem+json': { schema: ProblemSchema } } }
}

import type { TSchema } from 'typebox'
import type { ErrorCode } from '../errors.ts'

/** A failure, ready to be answered over HTTP. */
export interface Failure {
  status: number
  title: string
  /** A sentence for the client. */
  detail: string
  code: ErrorCode
  requestId: string
  /** Position of the offending input, from 0. */
  index: number | undefined
}

/** How a protocol writes failures: the exact content type, and the body as JSON. */
export type ErrorFormat = (failure: Failure) => { type: string; body: object }

/** RFC 9457 problem details. */
export const problemFormat: ErrorFormat = ({ title, status, detail, code, requestId, index }) => ({
  type: 'application/problem+json; charset=utf-8',
  body: { type: 'about:blank', title, status, detail, code, request_id: requestId, index },
})

/** The error answers of a protocol's routes, for the API's description. */
export function errorAnswers(schema: TSchema) {
  const content = { 'application/json': { schema } }
  return {
    '4xx': { description: 'The request is wrong.', content },
    '5xx': { description: 'The server cannot answer now.', content },
  }
}

import { Type } from 'typebox'
import { type ErrorFormat, errorAnswers } from '../error-format.ts'

/** Errors as OpenAI's API writes them. `code` is our own; the official clients choose their error class by the status. */
export const openaiFormat: ErrorFormat = ({ status, detail, code }) => ({
  type: 'application/json; charset=utf-8',
  body: { error: { message: detail, type: errorType(status), param: null, code } },
})

function errorType(status: number): string {
  if (status === 401) return 'authentication_error'
  if (status === 429) return 'rate_limit_error'
  return status < 500 ? 'invalid_request_error' : 'server_error'
}

const ErrorSchema = Type.Object({
  error: Type.Object({ message: Type.String(), type: Type.String(), param: Type.Null(), code: Type.String() }),
})

/** The error answers of every route of OpenAI's. */
export const ERRORS = errorAnswers(ErrorSchema)

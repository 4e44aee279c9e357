import type { IncomingHttpHeaders } from 'node:http'
import { Type } from 'typebox'
import type { Priority } from '../batching/job.ts'
import { ServeError } from '../errors.ts'

const PRIORITIES: readonly string[] = ['normal', 'low'] satisfies Priority[]

/** `X-Priority` as the API's description has it. */
export const PriorityHeader = Type.Object({
  'X-Priority': Type.Optional(
    Type.Enum([...PRIORITIES], {
      description: '`low` for bulk work: normal requests go first. `normal` unless given.',
    }),
  ),
})

/** What a request's `X-Priority` says; `normal` without one. Throws `invalid_parameter`. */
export function requestPriority(headers: IncomingHttpHeaders): Priority {
  const value = headers['x-priority'] ?? 'normal'
  if (typeof value === 'string' && PRIORITIES.includes(value)) return value as Priority
  throw new ServeError('invalid_parameter', 'x-priority must be low or normal')
}

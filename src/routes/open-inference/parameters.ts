import type { Priority } from '../../batching/job.ts'
import { ServeError } from '../../errors.ts'

/** What the parameters of a request say of its scheduling. Others are not looked at. */
export interface Scheduling {
  /** Milliseconds that it may take; none unless given. */
  timeoutMs: number
  /** Undefined where the request says nothing of it. */
  priority: Priority | undefined
}

/**
 * Triton's schedule policy: `timeout` in microseconds, 0 for none; `priority` 0 for the default, 1 for the highest, and
 * less with each number after it. We have two: 0 and 1 are normal, all others low. Throws `invalid_parameter`.
 */
export function readScheduling({ timeout, priority }: Record<string, unknown>): Scheduling {
  const microseconds = wholeNumber('timeout', timeout)
  const level = wholeNumber('priority', priority)
  return {
    timeoutMs: microseconds === 0 ? Number.POSITIVE_INFINITY : microseconds / 1000,
    priority: level === 0 ? undefined : level === 1 ? 'normal' : 'low',
  }
}

function wholeNumber(name: string, value: unknown): number {
  if (value === undefined) return 0
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0) return value
  throw new ServeError('invalid_parameter', `${name} must be a whole number from 0`)
}

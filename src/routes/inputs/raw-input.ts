import { ServeError } from '../../errors.ts'

/** One input as it came, before it is decoded: image bytes, a nested JSON tensor, float32 bytes, or why it is none of these. */
export type RawInput = { image: Uint8Array } | { tensor: unknown } | { values: Uint8Array } | { error: ServeError }

/** Throws `too_many_inputs` as soon as it is known, before anything is decoded. */
export function assertInputCount(count: number, maximum: number): void {
  if (count > maximum) throw new ServeError('too_many_inputs', `more than ${maximum} inputs in one request`)
}

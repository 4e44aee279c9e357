import { ServeError } from '../../errors.ts'

/**
 * One input as it came, before it is decoded: an image; a nested JSON tensor; float32 or float16, little-endian; the pixels
 * of a picture that is fitted already, `[C][H][W]`; or why it is none of these.
 */
export type RawInput =
  | { image: Uint8Array }
  | { tensor: unknown }
  | { values: Uint8Array }
  | { half: Uint8Array }
  | { pixels: Uint8Array }
  | { error: ServeError }

/** Throws `too_many_inputs` as soon as it is known, before anything is decoded. */
export function assertInputCount(count: number, maximum: number): void {
  if (count > maximum) throw new ServeError('too_many_inputs', `more than ${maximum} inputs in one request`)
}

import { ServeError } from '../errors.ts'
import { channelCount, type InputShape, inputLength } from '../repository/input-spec.ts'
import type { Query } from './query.ts'
import type { Limits } from './services.ts'

/**
 * Refuses `include=input` for more inputs than may be written: a small picture may become a large input, so that the size
 * of a request does not bound that of its answer. As many values as a request may hold in JSON, or one input.
 */
export function assertInputsFit(
  { include }: Query,
  count: number,
  shape: InputShape,
  { maxJsonValues }: Pick<Limits, 'maxJsonValues'>,
): void {
  const most = Math.max(1, Math.floor(maxJsonValues / inputLength(shape)))
  if (!include.has('input') || count <= most) return
  throw new ServeError('invalid_parameter', `include=input: this model takes at most ${most} with it in one request`)
}

/** An input as JSON has it, `[C][H][W]`. The rows share its memory. */
export function nestedInput(input: Float32Array, shape: InputShape): Float32Array[][] {
  const { height, width } = shape
  const row = (i: number): Float32Array => input.subarray(i * width, (i + 1) * width)
  return Array.from({ length: channelCount(shape) }, (_, c) =>
    Array.from({ length: height }, (_, y) => row(c * height + y)),
  )
}

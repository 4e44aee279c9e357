import type { Activation } from '../repository/quantization.ts'

/** The numbers that eight bits represent. Always contains zero, which convolutions pad with. */
export interface Range {
  low: number
  high: number
}

/** Steps between the 256 numbers of eight bits. */
const STEPS = 255

/** The scale has six digits, far finer than a step of eight bits. */
export function toActivation({ low, high }: Range): Activation {
  const scale = Number(((high - low) / STEPS).toPrecision(6))
  // A value that is always zero works with any scale but zero.
  if (!(scale > 1e-30)) return { scale: 1, zero_point: 0 }
  return { scale, zero_point: clamp(Math.round(-low / scale)) }
}

/** Clamps to 0..255. */
export function clamp(stored: number): number {
  return Math.max(0, Math.min(STEPS, stored))
}

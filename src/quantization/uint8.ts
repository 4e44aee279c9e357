import type { Activation } from '../repository/quantization.ts'

/** What eight bits are to hold; zero is always inside, for it is what convolutions pad with. */
export interface Range {
  low: number
  high: number
}

/** Steps between the 256 numbers of eight bits. */
const STEPS = 255

/** The scale is kept to six digits, far finer than a step of eight bits. */
export function toActivation({ low, high }: Range): Activation {
  const scale = Number(((high - low) / STEPS).toPrecision(6))
  // A value that was never but zero may have any scale but zero.
  if (!(scale > 1e-30)) return { scale: 1, zero_point: 0 }
  return { scale, zero_point: clamp(Math.round(-low / scale)) }
}

/** To the nearest number that eight bits have. */
export function clamp(stored: number): number {
  return Math.max(0, Math.min(STEPS, stored))
}

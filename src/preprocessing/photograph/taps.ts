import type { PhotographSpec } from '../../repository/input-spec.ts'

type Interpolation = PhotographSpec['interpolation']

/** Weights are whole numbers of 1 / 2^22, so that a sum over pixels of eight bits fits 32 bits with its sign. */
export const WEIGHT_BITS = 22

/**
 * For each pixel of a scaled side, the source pixels that it is made of and their weights. Pixel i has
 * `weights[i * stride .. i * stride + count[i]]`, for the source pixels from `first[i]` on. No pixels make black.
 */
export interface Taps {
  first: Int32Array
  count: Int32Array
  weights: Int32Array
  stride: number
}

interface Filter {
  /** Where it ends, in pixels of the larger of both scales. */
  support: number
  weight: (distance: number) => number
}

const FILTERS: Record<Exclude<Interpolation, 'nearest'>, Filter> = {
  bilinear: { support: 1, weight: (x) => Math.max(0, 1 - Math.abs(x)) },
  bicubic: { support: 2, weight: (x) => cubic(Math.abs(x)) },
}

/** Keys' kernel with a = -0.5 ("Cubic convolution interpolation for digital image processing", 1981). */
function cubic(x: number): number {
  if (x < 1) return (1.5 * x - 2.5) * x * x + 1
  return x < 2 ? (((x - 5) * x + 8) * x - 4) * -0.5 : 0
}

/** A part of the scaled side; pixels before 0 and from `scaled` on are black. */
interface Span {
  start: number
  length: number
}

/**
 * Pillow's resize of one side from `size` to `scaled` pixels, of which `span` is wanted. Bit for bit the same as Pillow
 * (src/libImaging/Resample.c, `precompute_coeffs`, `normalize_coeffs_8bpc`): the filter is as many times wider as the side
 * becomes smaller, and is cut off and normalised at the borders.
 */
export function makeTaps(size: number, scaled: number, span: Span, interpolation: Interpolation): Taps {
  if (interpolation === 'nearest') return nearestTaps(size, scaled, span)
  const filter = FILTERS[interpolation]
  const scale = size / scaled
  const widening = Math.max(1, scale)
  const support = filter.support * widening
  const taps = emptyTaps(span.length, Math.ceil(support) * 2 + 1)
  const weights = new Float64Array(taps.stride)
  for (const [i, target] of wanted(scaled, span)) {
    const centre = (target + 0.5) * scale
    const first = Math.max(0, Math.trunc(centre - support + 0.5))
    const count = Math.min(size, Math.trunc(centre + support + 0.5)) - first
    let sum = 0
    for (let k = 0; k < count; k++) {
      // A product with the reciprocal, as Pillow has it: a quotient differs in the last bit.
      weights[k] = filter.weight((k + first - centre + 0.5) * (1 / widening))
      sum += weights[k] as number
    }
    for (let k = 0; k < count; k++) {
      const weight = ((weights[k] as number) / sum) * 2 ** WEIGHT_BITS
      taps.weights[i * taps.stride + k] = weight < 0 ? weight - 0.5 : weight + 0.5
    }
    taps.first[i] = first
    taps.count[i] = count
  }
  return taps
}

/** Bounds the work for a strip of one pixel, whose crop may lie millions of pixels from its edge. */
const MOST_STEPS = 100_000

/**
 * The source pixel in which the middle of a scaled one lies. Pillow adds up the steps between them (Geometry.c,
 * `ImagingScaleAffine`), and its rounding decides wherever a middle lies on the line between two pixels.
 */
function nearestTaps(size: number, scaled: number, span: Span): Taps {
  const taps = emptyTaps(span.length, 1)
  const step = size / scaled
  const skipped = Math.max(0, span.start - MOST_STEPS)
  let middle = step * (skipped + 0.5)
  for (let target = skipped; target < Math.min(scaled, span.start + span.length); target++, middle += step) {
    const i = target - span.start
    if (i < 0) continue
    taps.first[i] = Math.trunc(middle)
    taps.count[i] = 1
    taps.weights[i] = 2 ** WEIGHT_BITS
  }
  return taps
}

function emptyTaps(length: number, stride: number): Taps {
  return {
    first: new Int32Array(length),
    count: new Int32Array(length),
    weights: new Int32Array(length * stride),
    stride,
  }
}

/** Positions in the span, and the scaled pixels there. */
function* wanted(scaled: number, { start, length }: Span): Generator<[position: number, target: number]> {
  for (let i = Math.max(0, -start); i < Math.min(length, scaled - start); i++) yield [i, start + i]
}

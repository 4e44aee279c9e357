import type { DrawingSpec } from '../../repository/input-spec.ts'
import { connectedInk, findParts, type Part } from './connected-ink.ts'
import { findSheet, insideOf, withoutCorners } from './frame.ts'
import type { GreyPicture } from './grey-picture.ts'
import { aboveGround } from './ground.ts'
import { inkSide } from './polarity.ts'
import { type Box, type Plane, resample } from './resample.ts'

type InkField = Pick<DrawingSpec, 'height' | 'width' | 'inkSize' | 'invert'>

/** Ink, and the rectangle that it is in. */
interface Found {
  ink: Plane
  box: Box
}

/** Limits of the ink threshold, as shares of the strongest ink. */
const THRESHOLD_RANGE = [0.15, 0.5] as const

/** A sheet in a border in bars is as many frames as anyone has. */
const MAX_FRAMES = 3
/** What stands inside a frame is a digit if it has at least this share of the frame's size, */
const LEAST_SIZE = 1 / 8
/** and at least this share of its contrast. */
const LEAST_CONTRAST = 0.15

/**
 * Brings ink into MNIST's form (LeCun et al., "The MNIST database"): crops it, scales its longer side to `inkSize` pixels,
 * and places its centre of mass in the middle of the field. Removes frames, an uneven ground and specks, and stretches the
 * ink to full intensity. Returns `[height * width]` in 0..1, zeros for a picture without ink. A picture already in this form
 * is only divided by 255.
 */
export function fitInk(picture: GreyPicture, field: InkField): Float32Array {
  const fitted = fittedAlready(picture, field)
  if (fitted !== undefined) return Float32Array.from(fitted.data, (grey) => grey / 255)
  const found = findInk(picture, field.invert, MAX_FRAMES)
  if (found === undefined) return new Float32Array(field.width * field.height)
  const { ink, box } = found
  const scale = field.inkSize / Math.max(box.width, box.height)
  const scaled = resample(
    ink,
    box,
    Math.max(1, Math.round(box.width * scale)),
    Math.max(1, Math.round(box.height * scale)),
  )
  return place(stretched(scaled), field)
}

/** The ink inside all frames. A frame is one only if a digit is left without it. */
function findInk(picture: GreyPicture, invert: InkField['invert'], frames: number): Found | undefined {
  const ink = inkOf(picture, invert)
  const threshold = Math.max(1, inkThreshold(ink.data))
  const parts = findParts(ink, threshold)
  const sheet = frames > 0 ? findSheet(ink, parts, threshold) : undefined
  const inside = sheet && insideOf(picture, sheet)
  const onSheet = inside && findInk(inside, invert, frames - 1)
  if (onSheet && isDigit(onSheet, ink)) return onSheet
  const rest = withoutCorners(ink, threshold)
  const clear = rest && boxed(rest, findParts(rest, Math.max(1, inkThreshold(rest.data))))
  if (clear && isDigit(clear, ink) && isClearOfBorder(clear)) return clear
  return boxed(ink, parts)
}

/** Light ink on a ground of zeros, 0..255. */
function inkOf(picture: GreyPicture, invert: InkField['invert']): Plane {
  const above = aboveGround(picture)
  const side = invert === 'auto' && inkSide(above) < 0 ? -1 : 1
  for (let i = 0; i < above.length; i++) above[i] = Math.max(0, side * (above[i] as number))
  return { data: above, width: picture.width, height: picture.height }
}

function boxed(ink: Plane, parts: Part[]): Found | undefined {
  const box = connectedInk(ink, parts)
  return box && { ink, box }
}

/** Whether what was found inside a frame is large and strong enough to be a digit. */
function isDigit({ ink, box }: Found, framed: Plane): boolean {
  const large = Math.max(box.width, box.height) >= LEAST_SIZE * Math.max(ink.width, ink.height)
  return large && peakOf(ink.data) >= LEAST_CONTRAST * peakOf(framed.data)
}

/** A digit that is cut out tightly reaches into the corners itself, and what is left of it is at the border too. */
function isClearOfBorder({ ink, box: { left, top, width, height } }: Found): boolean {
  return left > 0 && top > 0 && left + width < ink.width && top + height < ink.height
}

function peakOf(values: Float32Array): number {
  let peak = 0
  for (const value of values) peak = Math.max(peak, value)
  return peak
}

/** The picture, turned to light on dark, where it has the form already. */
function fittedAlready(picture: GreyPicture, field: InkField): GreyPicture | undefined {
  if (picture.width !== field.width || picture.height !== field.height) return undefined
  if (isFitted(picture, field)) return picture
  const negative = { ...picture, data: picture.data.map((grey) => 255 - grey) }
  return field.invert === 'auto' && isFitted(negative, field) ? negative : undefined
}

/** On a black ground, the ink of the right size and within a pixel of the right place. */
function isFitted({ data, width, height }: GreyPicture, field: InkField): boolean {
  const box = { left: width, right: -1, top: height, bottom: -1 }
  let peak = 0
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const grey = data[y * width + x] as number
      if (grey === 0) continue
      peak = Math.max(peak, grey)
      box.left = Math.min(box.left, x)
      box.right = Math.max(box.right, x)
      box.top = Math.min(box.top, y)
      box.bottom = Math.max(box.bottom, y)
    }
  }
  const size = Math.max(box.right - box.left, box.bottom - box.top) + 1
  if (peak < 200 || size > field.inkSize || size < field.inkSize - 2) return false
  const centre = centreOfMass({ data: Float32Array.from(data), width, height })
  return Math.abs(centre.x - width / 2) <= 1 && Math.abs(centre.y - height / 2) <= 1
}

/** Otsu's threshold ("A threshold selection method from gray-level histograms", 1979), within THRESHOLD_RANGE. */
function inkThreshold(ink: Float32Array): number {
  const histogram = new Float64Array(256)
  let peak = 0
  let total = 0
  for (const value of ink) {
    const bin = Math.min(255, (value + 0.5) | 0)
    histogram[bin] = (histogram[bin] as number) + 1
    if (value > peak) peak = value
    total += bin
  }
  let best = 0
  let bestVariance = -1
  let below = 0
  let belowSum = 0
  for (let bin = 0; bin < 255; bin++) {
    below += histogram[bin] as number
    belowSum += bin * (histogram[bin] as number)
    const above = ink.length - below
    if (below === 0 || above === 0) continue
    const variance = below * above * (belowSum / below - (total - belowSum) / above) ** 2
    if (variance > bestVariance) [best, bestVariance] = [bin + 1, variance]
  }
  return Math.min(Math.max(best, THRESHOLD_RANGE[0] * peak), THRESHOLD_RANGE[1] * peak)
}

/** Divides by the largest value. */
function stretched({ data, width, height }: Plane): Plane {
  const peak = peakOf(data) || 1
  return { data: data.map((value) => value / peak), width, height }
}

/** Places the ink in an empty field with its centre of mass in the middle, or as near as it fits. */
function place(ink: Plane, field: InkField): Float32Array {
  const centre = centreOfMass(ink)
  const left = clamp(Math.round(field.width / 2 - centre.x), 0, field.width - ink.width)
  const top = clamp(Math.round(field.height / 2 - centre.y), 0, field.height - ink.height)
  const out = new Float32Array(field.width * field.height)
  for (let y = 0; y < ink.height; y++) {
    out.set(ink.data.subarray(y * ink.width, (y + 1) * ink.width), (top + y) * field.width + left)
  }
  return out
}

/** In pixels from the left and top edges; the first pixel's middle is at 0.5. */
function centreOfMass({ data, width, height }: Plane): { x: number; y: number } {
  let mass = 0
  let sumX = 0
  let sumY = 0
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const value = data[y * width + x] as number
      mass += value
      sumX += value * (x + 0.5)
      sumY += value * (y + 0.5)
    }
  }
  return mass === 0 ? { x: width / 2, y: height / 2 } : { x: sumX / mass, y: sumY / mass }
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(Math.max(value, low), Math.max(low, high))
}

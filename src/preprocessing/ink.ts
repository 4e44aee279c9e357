import type { InputSpec } from '../repository/manifest.ts'
import { connectedInk } from './connected-ink.ts'
import { type GreyPicture, median, sides } from './grey-picture.ts'
import { type Plane, resample } from './resample.ts'

type InkField = Pick<InputSpec, 'height' | 'width' | 'inkSize'>

/** Limits of the ink threshold, as shares of the strongest ink. */
const THRESHOLD_RANGE = [0.15, 0.5] as const

/**
 * Brings light ink on a dark ground into MNIST's form (LeCun et al., "The MNIST database"): crops the ink, scales its
 * longer side to `inkSize` pixels, and places its centre of mass in the middle of the field. Removes an uneven ground and
 * specks, and stretches the ink to full intensity. Returns `[height * width]` in 0..1, zeros for a picture without ink. A
 * picture already in this form is only divided by 255.
 */
export function fitInk(picture: GreyPicture, field: InkField): Float32Array {
  if (isFitted(picture, field)) return Float32Array.from(picture.data, (grey) => grey / 255)
  const ink = withoutGround(picture)
  const box = connectedInk(ink, picture.width, picture.height, inkThreshold(ink))
  if (box === undefined) return new Float32Array(field.width * field.height)
  const scale = field.inkSize / Math.max(box.width, box.height)
  const scaled = resample(
    { data: ink, width: picture.width, height: picture.height },
    box,
    Math.max(1, Math.round(box.width * scale)),
    Math.max(1, Math.round(box.height * scale)),
  )
  return place(stretched(scaled), field)
}

/** Whether a picture has the model's size, a black ground, and ink of the right size within a pixel of the right place. */
function isFitted({ data, width, height }: GreyPicture, field: InkField): boolean {
  if (width !== field.width || height !== field.height) return false
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

/**
 * The ink above the ground, 0..255. The ground is the plane through the medians of the four sides, which removes light
 * from one side.
 */
function withoutGround(picture: GreyPicture): Float32Array {
  const { data, width, height } = picture
  const { top, bottom, left, right } = sides(picture)
  const [t, b, l, r] = [median(top), median(bottom), median(left), median(right)]
  const middle = (t + b + l + r) / 4
  const ink = new Float32Array(data.length)
  for (let y = 0; y < height; y++) {
    const rowGround = t + ((b - t) * (y + 0.5)) / height - middle
    for (let x = 0; x < width; x++) {
      const ground = rowGround + l + ((r - l) * (x + 0.5)) / width
      ink[y * width + x] = Math.max(0, (data[y * width + x] as number) - ground)
    }
  }
  return ink
}

/** Otsu's threshold ("A threshold selection method from gray-level histograms", 1979), within THRESHOLD_RANGE. */
function inkThreshold(ink: Float32Array): number {
  const histogram = new Float64Array(256)
  let peak = 0
  let total = 0
  for (const value of ink) {
    const bin = Math.min(255, Math.round(value))
    histogram[bin] = (histogram[bin] as number) + 1
    peak = Math.max(peak, value)
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
  let peak = 0
  for (const value of data) peak = Math.max(peak, value)
  return { data: data.map((value) => value / (peak || 1)), width, height }
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

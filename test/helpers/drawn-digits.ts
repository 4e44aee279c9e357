import sharp from 'sharp'

/** Points in a unit square, y down; a stroke is a polyline through them, and a digit is one or two strokes. */
type Point = readonly [x: number, y: number]
type Stroke = Point[]

const ring = (cx: number, cy: number, rx: number, ry: number, from = 0, to = 360): Stroke =>
  Array.from({ length: 25 }, (_, i) => {
    const angle = ((from + ((to - from) * i) / 24) * Math.PI) / 180
    return [cx + rx * Math.sin(angle), cy - ry * Math.cos(angle)]
  })

/** How one person writes the ten digits. */
const DIGITS: Stroke[][] = [
  [ring(0.5, 0.5, 0.2, 0.3)],
  [
    [
      [0.42, 0.3],
      [0.52, 0.2],
      [0.51, 0.5],
      [0.5, 0.8],
    ],
  ],
  [
    [
      [0.33, 0.33],
      [0.4, 0.23],
      [0.53, 0.2],
      [0.64, 0.28],
      [0.63, 0.42],
      [0.5, 0.6],
      [0.33, 0.78],
      [0.5, 0.78],
      [0.68, 0.77],
    ],
  ],
  [[...ring(0.47, 0.34, 0.17, 0.14, -60, 180), ...ring(0.47, 0.64, 0.2, 0.16, 0, 240)]],
  [
    [
      [0.42, 0.2],
      [0.36, 0.4],
      [0.32, 0.55],
      [0.5, 0.54],
      [0.7, 0.53],
    ],
    [
      [0.6, 0.22],
      [0.58, 0.5],
      [0.56, 0.82],
    ],
  ],
  [[[0.66, 0.2], [0.42, 0.21], [0.4, 0.34], [0.38, 0.46], ...ring(0.47, 0.61, 0.18, 0.17, -20, 230)]],
  [[[0.58, 0.18], [0.45, 0.34], [0.36, 0.52], ...ring(0.49, 0.65, 0.15, 0.15, -90, 270)]],
  [
    [
      [0.32, 0.24],
      [0.5, 0.23],
      [0.68, 0.22],
      [0.58, 0.45],
      [0.5, 0.62],
      [0.45, 0.82],
    ],
  ],
  [[...ring(0.5, 0.35, 0.14, 0.14, 180, -180), ...ring(0.5, 0.65, 0.17, 0.16, 0, 360)]],
  [[...ring(0.5, 0.36, 0.15, 0.15, 90, -270), [0.65, 0.36], [0.62, 0.6], [0.56, 0.82]]],
]

/** The strokes of a digit, for those who draw it with a pen of their own. */
export const strokesOf = (digit: number): readonly Stroke[] => DIGITS[digit] ?? []

export interface Drawing {
  /** Pixels of the square canvas. */
  size: number
  /** Half the pen's width as a share of the canvas. */
  pen: number
  paper: number
  ink: number
}

/** How much of each pixel a digit covers that is drawn with a round pen, edges smoothed over one pixel. */
export function coverOf(digit: number, { size, pen }: Pick<Drawing, 'size' | 'pen'>): Float32Array {
  const cover = new Float32Array(size * size)
  for (const stroke of DIGITS[digit] ?? []) {
    for (const [i, end] of stroke.slice(1).entries()) drawSegment(cover, size, pen, stroke[i] as Point, end)
  }
  return cover
}

/** A digit drawn with a round pen, as a PNG. */
export function drawDigit(digit: number, { size, pen, paper, ink }: Drawing): Promise<Buffer> {
  const cover = coverOf(digit, { size, pen })
  const grey = Buffer.from(cover.map((share) => Math.round(paper + (ink - paper) * share)))
  return sharp(grey, { raw: { width: size, height: size, channels: 1 } })
    .png()
    .toBuffer()
}

/** Raises `cover` to the share of each pixel that the pen touches between two points. */
function drawSegment(cover: Float32Array, size: number, pen: number, a: Point, b: Point): void {
  const reach = pen + 1 / size
  const range = (from: number, to: number): [number, number] => [
    Math.max(0, Math.floor((Math.min(from, to) - reach) * size)),
    Math.min(size - 1, Math.ceil((Math.max(from, to) + reach) * size)),
  ]
  const [left, right] = range(a[0], b[0])
  const [top, bottom] = range(a[1], b[1])
  for (let y = top; y <= bottom; y++) {
    for (let x = left; x <= right; x++) {
      const distance = distanceTo([(x + 0.5) / size, (y + 0.5) / size], a, b)
      const share = Math.min(1, Math.max(0, (pen - distance) * size + 0.5))
      cover[y * size + x] = Math.max(cover[y * size + x] as number, share)
    }
  }
}

/** Distance of a point from the segment between a and b. */
function distanceTo([px, py]: Point, [ax, ay]: Point, [bx, by]: Point): number {
  const [dx, dy] = [bx - ax, by - ay]
  const length = dx * dx + dy * dy
  const t = length === 0 ? 0 : Math.min(1, Math.max(0, ((px - ax) * dx + (py - ay) * dy) / length))
  return Math.hypot(px - ax - t * dx, py - ay - t * dy)
}

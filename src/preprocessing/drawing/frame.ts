import { findParts, type Part } from './connected-ink.ts'
import type { GreyPicture } from './grey-picture.ts'
import type { Plane } from './resample.ts'

/** A sheet has four straight sides: its outline strays from the lines between its corners by this share of its area. */
const STRAIGHTNESS = 0.08
/** A sheet is less than three times as long as it is wide: its area is this share of its diagonal squared. A 1 is longer. */
const SHEET_BREADTH = 0.3
/** A thick 8 that fills its sheet covers this share of it. */
const MOST_INK = 0.4
/** The blurred edge of a sheet, as a share of its longer side. */
const EDGE_SHARE = 1 / 50
/** How far the blurred edge of a frame reaches, in pixels. */
const EDGE_PIXELS = 2

interface Point {
  x: number
  y: number
}
type Corners = [topLeft: Point, topRight: Point, bottomRight: Point, bottomLeft: Point]

/** First and last pixel of each row and column. */
interface Outline {
  left: Int32Array
  right: Int32Array
  top: Int32Array
  bottom: Int32Array
}

/** Outline of the largest part, if that is a sheet: on a dark table, or inside a border or bars. */
export function findSheet({ data, width, height }: Plane, parts: Part[], threshold: number): Outline | undefined {
  const largest = parts.reduce((best, part) => (part.length > best.length ? part : best), [] as Part)
  const outline = outlineOf(largest, width, height)
  let [area, ink] = [0, 0]
  for (let y = 0; y < height; y++) {
    const [left, right] = [outline.left[y] as number, outline.right[y] as number]
    for (let i = y * width + left; i <= y * width + right; i++) if ((data[i] as number) < threshold) ink++
    area += Math.max(0, right - left + 1)
  }
  const corners = cornersOf(outline)
  const [topLeft, , bottomRight] = corners
  const breadth = area / ((bottomRight.x - topLeft.x) ** 2 + (bottomRight.y - topLeft.y) ** 2)
  const isBroad = breadth >= SHEET_BREADTH && ink <= MOST_INK * area
  return isBroad && isStraight(outline, corners, STRAIGHTNESS * area) ? outline : undefined
}

/** Whether no more than so many pixels lie between an outline and the lines between its corners. */
function isStraight({ left, right }: Outline, corners: Corners, most: number): boolean {
  let strays = 0
  for (let y = 0; y < left.length && strays <= most; y++) {
    const [first, end] = [left[y] as number, (right[y] as number) + 1]
    const crossed = crossings(corners, y + 0.5)
    if (end === 0 && crossed.length === 0) continue
    const [from, to] = [Math.min(...crossed), Math.max(...crossed)]
    if (crossed.length === 0) strays += end - first
    else if (end === 0) strays += to - from
    else strays += Math.abs(from - first) + Math.abs(to - end)
  }
  return strays <= most
}

/** Where the sides between these corners cross a row. */
function crossings(corners: Point[], y: number): number[] {
  return corners.flatMap((a, i) => {
    const b = corners[(i + 1) % 4] as Point
    return a.y <= y === b.y <= y ? [] : [a.x + ((y - a.y) / (b.y - a.y)) * (b.x - a.x)]
  })
}

function outlineOf(part: Part, width: number, height: number): Outline {
  const [left, right] = [new Int32Array(height).fill(width), new Int32Array(height).fill(-1)]
  const [top, bottom] = [new Int32Array(width).fill(height), new Int32Array(width).fill(-1)]
  for (const pixel of part) {
    const x = pixel % width
    const y = (pixel - x) / width
    if (x < (left[y] as number)) left[y] = x
    if (x > (right[y] as number)) right[y] = x
    if (y < (top[x] as number)) top[x] = y
    if (y > (bottom[x] as number)) bottom[x] = y
  }
  return { left, right, top, bottom }
}

/**
 * Top left, top right, bottom right, bottom left: where x + y and x - y are least and greatest. x and y are counted at a
 * pixel's outer edges.
 */
function cornersOf({ left, right }: Outline): Corners {
  const reach = [-Infinity, -Infinity, -Infinity, -Infinity]
  const corners = reach.map(() => ({ x: 0, y: 0 })) as Corners
  for (let y = 0; y < left.length; y++) {
    const [first, end] = [left[y] as number, (right[y] as number) + 1]
    if (end === 0) continue
    const reached = [-first - y, end - y, end + y + 1, y + 1 - first]
    for (const [i, value] of reached.entries()) {
      if (value <= (reach[i] as number)) continue
      reach[i] = value
      corners[i] = { x: i === 1 || i === 2 ? end : first, y: i < 2 ? y : y + 1 }
    }
  }
  return corners
}

/**
 * The picture of the sheet alone, its blurred edge cut off. A sheet that is turned or has round corners does not fill its
 * rectangle: outside it, each row goes on as it is at the edge. Undefined when nothing is left.
 */
export function insideOf({ data, width, height }: GreyPicture, outline: Outline): GreyPicture | undefined {
  const { left, right, top, bottom } = outline
  const [from, to] = [Math.min(...left), Math.max(...right)]
  const edge = Math.ceil(Math.max(to - from, Math.max(...bottom) - Math.min(...top)) * EDGE_SHARE)
  const inside = (x: number, y: number): boolean =>
    x >= (left[y] as number) + edge &&
    x <= (right[y] as number) - edge &&
    y >= (top[x] as number) + edge &&
    y <= (bottom[x] as number) - edge
  const rows: Uint8Array[] = []
  for (let y = 0; y < height; y++) {
    let [first, last] = [from, to]
    while (first <= to && !inside(first, y)) first++
    while (last >= from && !inside(last, y)) last--
    if (first > last) continue
    const row = data.slice(y * width + from + edge, y * width + to - edge + 1)
    row.fill(data[y * width + first] as number, 0, first - from - edge)
    row.fill(data[y * width + last] as number, last - from - edge + 1)
    rows.push(row)
  }
  const [row] = rows
  return row && { data: Buffer.concat(rows), width: row.length, height: rows.length }
}

/**
 * The ink without what reaches into the corners of the picture: bars, round black corners, the edge of a table. It may be
 * half as strong as ink must be. Undefined when nothing reaches there.
 */
export function withoutCorners(ink: Plane, threshold: number): Plane | undefined {
  const { data, width, height } = ink
  const corners = [0, width - 1, data.length - width, data.length - 1]
  if (!corners.some((corner) => (data[corner] as number) >= threshold / 2)) return undefined
  const inCorners = findParts(ink, threshold / 2).filter((part) => corners.some((corner) => part.includes(corner)))
  const rest = data.slice()
  for (const pixel of inCorners.flat()) {
    const x = pixel % width
    const y = (pixel - x) / width
    const [first, last] = [Math.max(0, x - EDGE_PIXELS), Math.min(width - 1, x + EDGE_PIXELS)]
    for (let ny = Math.max(0, y - EDGE_PIXELS); ny <= Math.min(height - 1, y + EDGE_PIXELS); ny++) {
      rest.fill(0, ny * width + first, ny * width + last + 1)
    }
  }
  return { data: rest, width, height }
}

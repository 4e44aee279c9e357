import { inputLength, type PhotographSpec } from '../../repository/input-spec.ts'
import type { ImageSize } from '../image-size.ts'
import type { Pixels } from '../pixels.ts'
import { cropStart, resizedSize } from './geometry.ts'
import { rgbRows } from './rgb.ts'
import { makeTaps, type Taps, WEIGHT_BITS } from './taps.ts'

/** Pixels to weigh before others may run: about 2 ms. */
const PIECE = 500_000

/**
 * A decoded picture as the model's input, `[C, height, width]`, as Pillow and torchvision make it: converted to RGB or grey,
 * resized, cropped in the centre, divided by 255, normalised. Bit for bit the same, if the decoder gives the same pixels and
 * `pixels` has the picture's full size. `size` is that size, where `pixels` was reduced already.
 *
 * Works in pieces, so that the event loop can do other things between them.
 */
export function* photographInput(
  pixels: Pixels,
  spec: PhotographSpec,
  size: ImageSize = pixels,
): Generator<undefined, Float32Array> {
  const { width, height, interpolation, crop } = spec
  const scaled = resizedSize(size, spec.resize)
  const [left, top] = [cropStart(scaled.width, width, crop), cropStart(scaled.height, height, crop)]
  const columns = makeTaps(pixels.width, scaled.width, { start: left, length: width }, interpolation)
  const rows = makeTaps(pixels.height, scaled.height, { start: top, length: height }, interpolation)
  const readRow = rgbRows(pixels, spec)
  const values = new Float32Array(inputLength(spec))
  const normalise = normaliser(spec, values)

  // Pillow narrows rows first and rounds to eight bits between. Only the rows that the crop shows are narrowed.
  const firstRow = rows.first[Math.max(0, -top)] as number
  const endRow = rows.first.reduce((end, first, y) => Math.max(end, first + (rows.count[y] as number)), 0)
  const stride = width * 3
  const narrow = new Uint8Array((endRow - firstRow) * stride)
  const line = new Uint8Array(stride)
  let narrowed = firstRow
  let weighed = 0
  for (let y = 0; y < height; y++) {
    const [first, count] = [rows.first[y] as number, rows.count[y] as number]
    // `nearest` passes over rows.
    for (narrowed = Math.max(narrowed, first); narrowed < first + count; narrowed++) {
      narrowRow(readRow(narrowed), columns, narrow, (narrowed - firstRow) * stride)
      weighed += pixels.width + width * columns.stride
    }
    addRows(narrow, (first - firstRow) * stride, rows, y, line)
    normalise(line, y)
    weighed += width * count
    if (weighed < PIECE) continue
    weighed = 0
    yield
  }
  return values
}

/** One row, each of its pixels made of neighbours in the source row. */
function narrowRow(source: Uint8Array, { first, count, weights, stride }: Taps, out: Uint8Array, at: number): void {
  for (let x = 0; x < first.length; x++) {
    const from = x * stride
    weigh(source, (first[x] as number) * 3, 3, weights, from, from + (count[x] as number), out, at + x * 3)
  }
}

/** Row y, each of its pixels made of those above each other in the rows from `at` on. */
function addRows(narrow: Uint8Array, at: number, { count, weights, stride }: Taps, y: number, out: Uint8Array): void {
  const from = y * stride
  const to = from + (count[y] as number)
  for (let x = 0; x < out.length; x += 3) weigh(narrow, at + x, out.length, weights, from, to, out, x)
}

const HALF = 1 << (WEIGHT_BITS - 1)

/** Writes, at `at`, the pixel made of those at `start`, `start + step`... by the weights `from` .. `to`. */
function weigh(
  source: Uint8Array,
  start: number,
  step: number,
  weights: Int32Array,
  from: number,
  to: number,
  out: Uint8Array,
  at: number,
): void {
  let red = HALF
  let green = HALF
  let blue = HALF
  for (let k = from, p = start; k < to; k++, p += step) {
    const weight = weights[k] as number
    red = (red + Math.imul(source[p] as number, weight)) | 0
    green = (green + Math.imul(source[p + 1] as number, weight)) | 0
    blue = (blue + Math.imul(source[p + 2] as number, weight)) | 0
  }
  out[at] = toByte(red)
  out[at + 1] = toByte(green)
  out[at + 2] = toByte(blue)
}

function toByte(sum: number): number {
  return Math.min(255, Math.max(0, sum >> WEIGHT_BITS))
}

/** Writes row y of each of the model's channels into `values`. As float32 all along, so that it is PyTorch's to the bit. */
function normaliser({ height, width, channels, mean, std }: PhotographSpec, values: Float32Array) {
  const tables = mean.map((each, c) => {
    const [shift, scale] = [Math.fround(each), Math.fround(std[c] as number)]
    return Float32Array.from({ length: 256 }, (_, value) => Math.fround(Math.fround(value / 255) - shift) / scale)
  })
  return (line: Uint8Array, y: number): void => {
    for (const [c, table] of tables.entries()) {
      const from = (c * height + y) * width
      const source = channels === 'bgr' ? 2 - c : c
      for (let x = 0; x < width; x++) values[from + x] = table[line[x * 3 + source] as number] as number
    }
  }
}

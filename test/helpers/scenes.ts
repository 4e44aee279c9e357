import sharp from 'sharp'
import { randomNumbers } from '../../src/engines/random.ts'
import { coverOf } from './drawn-digits.ts'

/** How much ink or light there is at a point of the unit square, y down. */
type Field = (x: number, y: number) => number
type Colour = readonly [red: number, green: number, blue: number]

export interface Scene {
  name: string
  /** What the camera sees, 0 to 255, of the page that the digit is drawn on. */
  look: (page: Field) => Field
  /** Degrees by which the digit is turned. */
  degrees?: number
  /** Width over height. */
  aspect?: number
  paper?: Colour
  ink?: Colour
  /** Quality; PNG unless given. */
  jpeg?: number
  /** Greys by which the light of a pixel strays. */
  noise?: number
}

export interface SceneOptions {
  /** Half the pen's width as a share of the page. */
  pen?: number | undefined
  /** Light ink on a dark page, and all the rest of the scene inverted too. */
  dark?: boolean
}

const DARK = 14
const SIZE = 200

const grey = (level: number): Colour => [level, level, level]

/** What lies around the rectangle is dark. */
const within =
  (left: number, top: number, right: number, bottom: number) =>
  (page: Field): Field =>
  (x, y) =>
    x >= left && x <= right && y >= top && y <= bottom ? page(x, y) : DARK

/** The page, turned about its middle. */
const turned = (degrees: number) => {
  const [cos, sin] = [Math.cos((degrees * Math.PI) / 180), Math.sin((degrees * Math.PI) / 180)]
  return (page: Field): Field =>
    (x, y) =>
      page(0.5 + cos * (x - 0.5) + sin * (y - 0.5), 0.5 - sin * (x - 0.5) + cos * (y - 0.5))
}

/** A sheet of `share` of the picture's size on a table, turned about its middle, which is at (cx, cy). */
const sheet = (share: number, degrees: number, [cx, cy] = [0.5, 0.5], table = 50) => {
  const onTable = (page: Field, tableTop: number) => (u: number, v: number) =>
    Math.min(u, v) >= 0 && Math.max(u, v) <= 1 ? page(u, v) : tableTop
  return (page: Field): Field =>
    (x, y) => {
      const grain = 12 * Math.sin(40 * x) * Math.sin(9 * y)
      const laid = turned(degrees)(onTable(page, table + grain))
      return laid(0.5 + (x - cx) / share, 0.5 + (y - cy) / share)
    }
}

/** The page `times` as large in the picture, with its middle at (cx, cy). */
const zoomed =
  (times: number, cx = 0.5, cy = 0.5) =>
  (page: Field): Field =>
  (x, y) =>
    page(0.5 + (x - cx) / times, 0.5 + (y - cy) / times)

/** The page in this light: 1 leaves it as it is. */
const lit =
  (light: Field) =>
  (page: Field): Field =>
  (x, y) =>
    page(x, y) * light(x, y)

const radius: Field = (x, y) => Math.hypot(x - 0.5, y - 0.5)
const rounded: Field = (x, y) => {
  const [dx, dy] = [Math.max(0, Math.abs(x - 0.5) - 0.3), Math.max(0, Math.abs(y - 0.5) - 0.3)]
  return Math.hypot(dx, dy)
}
const onLine = (v: number, lines: number): boolean => (v * lines) % 1 < 0.07

/** Ways in which people send one digit. */
export const SCENES: Scene[] = [
  { name: 'on white paper', look: (page) => page },
  { name: 'at half brightness', look: lit(() => 0.5) },
  { name: 'at a quarter of the brightness', look: lit(() => 0.25) },
  { name: 'in a shadow from the left', look: lit((x) => 0.45 + 0.55 * x) },
  { name: 'in a shadow from a corner', look: lit((x, y) => 1 - 0.3 * x - 0.3 * y) },
  { name: 'half in the soft shadow of a hand', look: lit((x, y) => 1 - 0.3 / (1 + Math.exp(30 * (x + y / 2 - 0.6)))) },
  { name: 'with a vignette', look: lit((x, y) => 1 - 0.9 * radius(x, y) ** 2) },
  { name: 'on squared paper', look: (page) => lit((x, y) => (onLine(x, 12) || onLine(y, 12) ? 0.85 : 1))(page) },
  { name: 'on ruled paper', look: (page) => lit((_, y) => (onLine(y, 9) ? 0.8 : 1))(page) },
  { name: 'in blue ink', look: (page) => page, ink: [40, 70, 200] },
  { name: 'in red ink on yellow paper', look: (page) => page, ink: [190, 30, 40], paper: [250, 230, 140] },
  { name: 'in black on red paper', look: (page) => page, ink: grey(20), paper: [200, 60, 50] },
  { name: 'small on a large page', look: zoomed(0.3, 0.25, 0.65) },
  { name: 'so large that it nearly touches the border', look: zoomed(1.45) },
  { name: 'in pencil', look: (page) => page, paper: grey(200), ink: grey(165), noise: 4 },
  { name: 'as a bad JPEG', look: (page) => page, jpeg: 15, noise: 10 },
  { name: 'in a border of one pixel', look: within(1 / SIZE, 1 / SIZE, 1 - 1 / SIZE, 1 - 1 / SIZE) },
  { name: 'in a border of eight pixels', look: within(8 / SIZE, 8 / SIZE, 1 - 8 / SIZE, 1 - 8 / SIZE) },
  { name: 'large, in a border', look: (page) => within(0.01, 0.01, 0.99, 0.99)(zoomed(1.3)(page)) },
  { name: 'in a border at half brightness', look: (page) => within(0.02, 0.02, 0.98, 0.98)(lit(() => 0.5)(page)) },
  { name: 'between bars above and below', look: within(0, 0.15, 1, 0.85), aspect: 0.7 },
  {
    name: 'between broad bars above and below',
    look: (page) => within(0, 0.3, 1, 0.7)(zoomed(0.5)(page)),
    aspect: 0.7,
  },
  { name: 'between bars left and right', look: within(0.12, 0, 0.88, 1), aspect: 1.4 },
  { name: 'with one bar on the left', look: within(0.2, 0, 1, 1) },
  { name: 'on a sheet on a dark table', look: sheet(0.7, 0) },
  { name: 'on a turned sheet on a dark table', look: sheet(0.7, 7), jpeg: 80, degrees: 7 },
  { name: 'on a sheet that leaves the picture', look: sheet(0.9, -5, [0.6, 0.62]), jpeg: 80, degrees: -5 },
  {
    name: 'on a sheet in a shadow',
    look: (page) => lit((x) => 0.5 + 0.5 * x)(sheet(0.75, 3)(page)),
    jpeg: 80,
    degrees: 3,
  },
  { name: 'on a sheet on a grey table', look: sheet(0.8, 4, [0.5, 0.5], 110), degrees: 4 },
  {
    name: 'on a sheet on a table, in a border',
    look: (page) => within(0.01, 0.01, 0.99, 0.99)(sheet(0.7, 3)(page)),
    degrees: 3,
  },
  { name: 'with round black corners', look: (page) => (x, y) => (rounded(x, y) < 0.2 ? page(x, y) : DARK) },
  { name: 'with round grey corners', look: (page) => (x, y) => (rounded(x, y) < 0.2 ? page(x, y) : 135 + 20 * y) },
  {
    name: 'in pencil with round black corners',
    look: (page) => (x, y) => (rounded(x, y) < 0.2 ? page(x, y) : DARK),
    ink: grey(165),
  },
  { name: 'in pencil on a sheet', look: sheet(0.75, 5), ink: grey(150), jpeg: 80, degrees: 5 },
]

/** The digit on a blank page, turned as it is in the scene. */
export function drawClean({ degrees = 0 }: Scene, digit: number, { pen }: SceneOptions = {}): Promise<Buffer> {
  return drawScene({ name: 'on white paper', look: turned(degrees) }, digit, { pen })
}

/** The digit in the scene, as a file. */
export async function drawScene(
  { look, aspect = 1, paper = grey(235), ink = grey(30), jpeg, noise = 0 }: Scene,
  digit: number,
  { pen = 0.035, dark = false }: SceneOptions = {},
): Promise<Buffer> {
  const [width, height] = [Math.round(SIZE * Math.max(1, aspect)), Math.round(SIZE / Math.min(1, aspect))]
  const drawn = coverOf(digit, { size: SIZE, pen })
  // The page keeps its proportions, however wide the picture.
  const cover: Field = (x, y) => {
    const column = Math.round((0.5 + ((x - 0.5) * width) / SIZE) * SIZE - 0.5)
    const row = Math.round((0.5 + ((y - 0.5) * height) / SIZE) * SIZE - 0.5)
    const outside = Math.min(column, row) < 0 || Math.max(column, row) >= SIZE
    return outside ? 0 : (drawn[row * SIZE + column] as number)
  }
  const random = randomNumbers(digit + 1)
  const isGrey = [paper, ink].every(([red, green, blue]) => red === green && green === blue)
  const channels = paper.slice(0, isGrey ? 1 : 3).map((level, channel) => {
    const mark = ink[channel] as number
    return look((x, y) => level + (mark - level) * cover(x, y))
  })
  const pixels = Buffer.alloc(width * height * channels.length)
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const stray = (random() - 0.5) * 2 * noise
      for (const channel of channels) {
        const light = channel((x + 0.5) / width, (y + 0.5) / height) + stray
        const clipped = Math.min(255, Math.max(0, Math.round(light)))
        pixels[i++] = dark ? 255 - clipped : clipped
      }
    }
  }
  const picture = sharp(pixels, { raw: { width, height, channels: isGrey ? 1 : 3 } })
  return jpeg === undefined ? picture.png().toBuffer() : picture.jpeg({ quality: jpeg }).toBuffer()
}
